"""Rounds in the graph: the first is a run as any other, later ones have labels of their own."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from overopt.commands.axes.grid import resolve_all
from overopt.commands.request import Request
from overopt.errors import UserError
from overopt.execution.node import Node, ancestry
from overopt.run.cells import cells_of
from overopt.run.graph import Graph
from overopt.spec.rounds import RoundsSpec


def _points(method: str = "rloo", **more: Any) -> list[Node]:
    asked: dict[str, Any] = {"method": [method], "task": "tabular", "seeds": 1, **more}
    runs = resolve_all(Request(**asked))
    found = [Graph(cells_of(run)[0]).points("step", run.kl_grid_nats) for run in runs]
    return [made for made in found if made is not None]


def _stages(points: Node) -> Counter[str]:
    return Counter(made.stage.removeprefix("overopt.stages.") for made in ancestry([points]))


def test_the_first_round_is_a_run_without_rounds() -> None:
    assert _points()[0].key == _points(rounds=2)[0].key


@pytest.mark.parametrize("method", ["rloo", "dpo", "online-dpo"])
def test_each_round_labels_its_own_pairs_and_shares_the_rest(method: str) -> None:
    rounds = _points(method, rounds=3)
    assert [_stages(one)["rounds.pairs"] for one in rounds] == [0, 1, 2]
    assert [_stages(one)["labels"] for one in rounds] == [1, 2, 3]
    assert [_stages(one)["rounds.joined"] for one in rounds] == [0, 1, 2]
    assert [_stages(one)["pairs"] for one in rounds] == [1, 1, 1]
    second, third = ({made.key for made in ancestry([one])} for one in rounds[1:])
    last = [made for made in ancestry([rounds[1]]) if made.key not in third]
    # what the third does not need of the second: its run along the budgets, and its measurement
    own = {"optimize", "evaluate", "score", "measure"}
    # and, where policies never meet the proxy, the one that scores them
    assert {made.name for made in last} == own | ({"proxy"} if method == "dpo" else set())
    assert len(second & third) > 8


def test_rounds_differ_in_noise_and_in_samples() -> None:
    labels = [made for made in ancestry(_points(rounds=3)[-1:]) if "seed" in made.params]
    seeds = [made.params["seed"] for made in labels if made.stage.endswith("stages.labels")]
    assert len(set(seeds)) == 3
    drawn = [made.params["seed"] for made in labels if made.stage.endswith("rounds.pairs")]
    assert len(set(drawn)) == 2


def test_the_last_data_alone() -> None:
    (_, second) = _points(rounds=2, settings=["rounds.data=last"])
    assert _stages(second)["rounds.joined"] == 0 and _stages(second)["labels"] == 2


def test_a_run_may_go_on_where_the_last_one_ended() -> None:
    first, second, third = _points(rounds=3, settings=["rounds.start=last"])
    assert [_stages(one)["rounds.optimize"] for one in (first, second, third)] == [0, 1, 2]
    run = next(made for made in ancestry([second]) if made.stage.endswith("rounds.optimize"))
    inputs = dict(run.inputs)
    assert inputs["before"].params["kl_grid_nats"] == [] and run.params["start"] == "last"
    assert inputs["initial"].name == "initial"


def test_a_run_may_start_between_the_initial_policy_and_the_last() -> None:
    (_, second) = _points(rounds=2, settings=["rounds.start=liti", "rounds.share=0.25"])
    run = next(made for made in ancestry([second]) if made.stage.endswith("rounds.optimize"))
    assert (run.params["start"], run.params["share"]) == ("liti", 0.25)


@pytest.mark.parametrize(
    "settings",
    [["rounds.start=liti"], ["rounds.share=0.5"], ["rounds.start=last", "rounds.share=1"]],
)
def test_a_share_belongs_to_liti(settings: list[str]) -> None:
    with pytest.raises(UserError, match="share"):
        _points(rounds=2, settings=settings)


VARIANTS = (
    ["rounds.prompts=repeated"],
    ["rounds.proxy=mean"],
    ["rounds.proxy=average"],
    ["rounds.start=liti", "rounds.share=0.5"],
    ["rounds.until_kl_nats=2"],
)


@pytest.mark.parametrize("settings", VARIANTS, ids=" ".join)
@pytest.mark.parametrize("method", ["rloo", "dpo"])
def test_in_the_first_round_every_variant_is_a_run_without_rounds(
    method: str, settings: list[str]
) -> None:
    first, second = _points(method, rounds=2, settings=settings)
    assert first.key == _points(method)[0].key
    assert second.key != _points(method, rounds=2)[1].key


def test_variants_leave_no_trace_where_they_are_not_asked_for() -> None:
    told = RoundsSpec(count=3).to_json()
    assert told == {"count": 3, "data": "all", "start": "initial", "steps": None}


def test_prompts_are_repeated_in_every_later_round() -> None:
    third = _points(rounds=3, settings=["rounds.prompts=repeated"])[-1]
    drawn = [made for made in ancestry([third]) if made.stage.endswith("rounds.pairs")]
    assert [made.params["repeated"] for made in drawn] == [True, True]


def test_the_mean_of_rounds_reads_every_proxy_and_trains_none_twice() -> None:
    third = _points(rounds=3, settings=["rounds.proxy=mean"], proxy=["mean"])[-1]
    stages, plain = _stages(third), _stages(_points(rounds=3, proxy=["mean"])[-1])
    assert stages["proxy"] == plain["proxy"]
    assert stages["rounds.scores"] == stages["score"] / 3 > 0
    runs = {
        made.params.get("earlier"): made for made in ancestry([third]) if made.name == "optimize"
    }
    assert set(runs) == {None, 1, 2}
    inputs = dict(runs[2].inputs)
    read = [inputs[f"{role}proxy.0"].key for role in ("round.1.", "round.2.", "")]
    assert len(set(read)) == 3
    assert dict(runs[1].inputs)["round.1.proxy.0"].key == read[0]


def test_the_average_of_rounds_is_of_plain_proxies_and_scores_alone() -> None:
    third = _points(rounds=3, settings=["rounds.proxy=average"])[-1]
    averaged = [made for made in ancestry([third]) if made.name == "averaged"]
    assert sorted(made.params["rounds"] for made in averaged) == [2, 3]
    roles = [role for made in averaged for role, given in made.inputs if given.name == "proxy"]
    assert sorted(roles) == ["round.1", "round.1", "round.2", "round.2", "round.3"]
    scored = [dict(made.inputs)["proxy"] for made in ancestry([third]) if made.name == "score"]
    assert {one.key for one in scored} == {averaged[-1].key}


def test_steps_of_earlier_rounds() -> None:
    (_, second) = _points(rounds=2, settings=["rounds.steps=7"])
    steps = [
        made.params["settings"]["max_steps"]
        for made in ancestry([second])
        if made.name == "optimize"
    ]
    assert steps == [7, 200]


def test_rounds_spread_evenly_over_the_root_of_kl() -> None:
    settings = ["rounds.start=last", "rounds.until_kl_nats=16"]
    fourth = _points(rounds=4, settings=settings)[-1]
    runs = [made for made in ancestry([fourth]) if made.name == "optimize"]
    ends = sorted(tuple(made.params["kl_grid_nats"]) for made in runs)
    assert ends[1:] == [(1.0,), (4.0,), (9.0,)] and len(ends[0]) > 3
    labeled = {
        dict(made.inputs)["optimize"].key
        for made in ancestry([fourth])
        if made.name == "pairs" and made.stage.endswith("rounds.pairs")
    }
    assert labeled == {made.key for made in runs if len(made.params["kl_grid_nats"]) == 1}


def test_rounds_end_after_steps_or_at_a_kl() -> None:
    with pytest.raises(UserError, match="give one of the two"):
        _points(rounds=2, settings=["rounds.steps=7", "rounds.until_kl_nats=2"])


@pytest.mark.parametrize(
    ("method", "more", "said"),
    [
        ("bon", {}, "bon trains no policy"),
        ("warp", {}, "warp trains no policy"),
        ("rloo", {"task": "reviews-clean"}, "has people who label"),
        ("rloo", {"proxy": ["online-rm"]}, "has labels of its own"),
        ("rloo", {"settings": ["rounds.start=last"], "engine": "trl"}, "give --engine native"),
        ("rloo", {"settings": ["rounds.proxy=mean"], "engine": "trl"}, "give --engine native"),
        ("rloo", {"settings": ["rounds.proxy=mean"], "proxy": ["pm"]}, "plain reward models"),
        ("rloo", {"settings": ["rounds.proxy=average"], "proxy": ["grm"]}, "plain reward models"),
    ],
)
def test_what_has_no_rounds_is_refused(method: str, more: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        _points(method, rounds=2, **more)


def test_systems_with_columns_of_their_own_learn_from_all_rounds() -> None:
    (_, second) = _points(rounds=2, proxy=["composite"])
    columns = [made for made in ancestry([second]) if made.name == "label_columns"]
    labels = [dict(made.inputs)["labels"].name for made in columns]
    assert labels == ["labels", "joined"]
