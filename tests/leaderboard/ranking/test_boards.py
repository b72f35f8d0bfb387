"""Who competes with whom, who may rank, and in which order entries are shown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from overopt.leaderboard.ranking.board import Board
from overopt.leaderboard.ranking.entries import track_of
from overopt.leaderboard.ranking.rows import board_rows
from overopt.report.comparison.contest import Entrant

from .drawn import alter, boards_of, write_entry


def _board(boards: list[Board], track: str) -> Board:
    (found,) = [one for one in boards if one.track == track]
    return found


def test_tracks_never_meet(tmp_path: Path) -> None:
    for family, names in (
        ("selection", ("bon", "soft-bon")),
        ("pairs", ("dpo", "ipo")),
        ("rollout", ("rloo", "ppo")),
        ("iterative", ("raft",)),
    ):
        for name in names:
            write_entry(tmp_path, name, 0.5, family=family)
    boards = boards_of(tmp_path)
    assert {one.track: set(one.facts) for one in boards} == {
        "offline": {"dpo", "ipo"},
        "online": {"rloo", "ppo", "raft"},
        "inference time": {"bon", "soft-bon"},
    }


def test_one_that_sees_a_proxy_beside_blind_ones_makes_no_board_of_it(tmp_path: Path) -> None:
    """spin is online and blind: it stands beside ppo and rloo of single, not beside every rloo."""
    blind = {"source": "overopt.methods.iterative.spin"}
    for proxy in ("single", "uwo", "mean"):
        write_entry(tmp_path, "rloo", 0.5, proxy=proxy)
    write_entry(tmp_path, "ppo", 0.6, proxy="single")
    for name in ("spin", "other"):
        path = write_entry(tmp_path, name, 0.1, family="iterative") / "run.json"
        record = json.loads(path.read_text())
        record["spec"]["methods"][0] |= blind
        path.write_text(json.dumps(record))
    boards = [one for one in boards_of(tmp_path) if one.track == "online"]
    assert [(one.contest.proxy, set(one.facts)) for one in boards] == [
        ("single", {"rloo", "ppo", "spin", "other"})
    ]


def test_who_samples_its_own_policy_is_online_whether_or_not_it_sees_the_proxy() -> None:
    def track(family: str, sees_proxy: bool) -> str:
        return track_of(Entrant("mine", family, sees_proxy, {}, lambda world, curve: None))

    assert track("iterative", True) == track("iterative", False) == "online"
    assert track("merge", True) == "online"
    assert track("merge", False) == track("pairs", False) == "offline"
    assert track("selection", True) == "inference time"


def test_an_untuned_or_gold_using_entry_has_a_score_and_no_rank(tmp_path: Path) -> None:
    for name, height in (("best", 0.9), ("next", 0.4), ("last", 0.1)):
        write_entry(tmp_path, name, height)
    write_entry(tmp_path, "untuned", 2.0, tuned=False)
    write_entry(tmp_path, "cheat", 3.0, uses_gold="training")
    rows = [row for row in board_rows(_board(boards_of(tmp_path), "online"))
            if row["metric"] == "hypervolume"]  # fmt: skip
    shown = [(row["entry"], row["ranked"], row["rank_best"], row["rank_worst"]) for row in rows]
    assert shown == [
        ("best", True, 1, 1),
        ("next", True, 2, 2),
        ("last", True, 3, 3),
        ("cheat", False, None, None),
        ("untuned", False, None, None),
    ]
    assert rows[3]["note"] == "no rank: uses gold (training)"
    assert rows[4]["note"] == "no rank: learning rate not tuned"
    assert all(row["score"] > 0 for row in rows)
    assert rows[1]["reference"] == "best", "what has no rank is no reference"


@pytest.mark.parametrize(("low_worlds", "ranked"), [((0,), True), ((0, 1), False)])
def test_rates_are_those_of_the_worlds_that_are_compared(
    tmp_path: Path, low_worlds: tuple[int, ...], ranked: bool
) -> None:
    write_entry(tmp_path, "high", 0.9, worlds=(0,), tuned=True)
    write_entry(tmp_path, "high", 0.9, worlds=(1,), tuned=False)
    for world in low_worlds:
        write_entry(tmp_path, "low", 0.1, worlds=(world,), tuned=True)
    rows = board_rows(_board(boards_of(tmp_path), "online"))
    assert rows[0]["worlds"] == " ".join(map(str, low_worlds))
    high = [row for row in rows if row["entry"] == "high" and row["metric"] == "hypervolume"]
    assert [row["rates"] for row in high] == ["tuned" if ranked else "task's own"]


def test_where_nobody_is_tuned_nobody_ranks_and_differences_stay(tmp_path: Path) -> None:
    write_entry(tmp_path, "high", 0.9, tuned=False)
    write_entry(tmp_path, "low", 0.1, tuned=False)
    rows = board_rows(_board(boards_of(tmp_path), "online"))
    assert not any(row["ranked"] for row in rows)
    first = [row for row in rows if row["metric"] == "hypervolume"]
    assert [row["ties"] for row in first] == ["a", "b"]
    assert first[1]["p_holm"] < 0.05


def test_selection_methods_have_nothing_to_tune(tmp_path: Path) -> None:
    write_entry(tmp_path, "bon", 0.9, family="selection", tuned=False)
    write_entry(tmp_path, "itp", 0.1, family="selection", tuned=False)
    board = _board(boards_of(tmp_path), "inference time")
    assert all(row["ranked"] and row["rates"] == "" for row in board_rows(board))


def test_nothing_orders_entries_within_the_same_ranks(tmp_path: Path) -> None:
    # the higher score has the later name: an order by scores would put it first
    write_entry(tmp_path, "zeta", 0.501)
    write_entry(tmp_path, "alpha", 0.5)
    rows = board_rows(_board(boards_of(tmp_path), "online"))
    for metric in ("hypervolume", "gold-at-kl"):
        mine = [row for row in rows if row["metric"] == metric][:2]
        assert [row["entry"] for row in mine] == ["alpha", "zeta"]
        assert [(row["rank_best"], row["rank_worst"]) for row in mine] == [(1, 2), (1, 2)]
        assert {row["ties"] for row in mine} == {"a"}


def test_what_missed_the_kl_has_no_score_there(tmp_path: Path) -> None:
    from comparison.drawn import write_run

    write_entry(tmp_path, "far", 0.9)
    write_entry(tmp_path, "also", 0.5)
    write_run(tmp_path, "short", 0.9, reach={2: 2.0})
    rows = board_rows(_board(boards_of(tmp_path), "online"))
    at_8 = {row["entry"]: row for row in rows if row["at_kl_nats"] == 8.0}
    assert at_8["short"]["score"] is None and "not reached by 1 of 5" in at_8["short"]["note"]
    assert not at_8["short"]["ranked"]


def test_proxies_compete_under_one_method(tmp_path: Path) -> None:
    for proxy, height in (("single", 0.2), ("uwo", 0.9), ("mean", 0.5)):
        write_entry(tmp_path, "rloo", height, proxy=proxy, tuned=False)
    board = _board(boards_of(tmp_path), "reward side")
    assert board.contest.proxy == "rloo"
    first = [row for row in board_rows(board) if row["metric"] == "hypervolume"]
    # one rate for all proxies: none had a better chance, so that they may rank
    assert all(row["ranked"] for row in first)
    assert {row["entry"] for row in first} == {"single", "uwo", "mean"}


@pytest.mark.parametrize(
    ("worlds", "seeds", "headline", "basis"),
    [
        ((0, 1, 2), (0, 1, 2, 3, 4), True, "any world of the kind"),
        ((0, 1), (0, 1, 2, 3, 4), False, "these worlds only (fewer than 3 worlds)"),
        ((0, 1, 2), (0, 1), False, "exploratory (fewer than 5 seeds)"),
    ],
)
def test_a_board_says_what_it_rests_on(
    tmp_path: Path, worlds: tuple[int, ...], seeds: tuple[int, ...], headline: bool, basis: str
) -> None:
    for name in ("one", "two"):
        write_entry(tmp_path, name, 0.5, worlds=worlds, seeds=seeds)
    board = _board(boards_of(tmp_path), "online")
    assert (board.headline, board.basis) == (headline, basis)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"task": {"pairs": {"max_steps": 2}}}, "of the task"),
        ({"proxy": {"config": {"members": 5}}}, "of the proxy"),
        ({"method": {"config": {"beta": 2}, "rate_factor": 2.0}}, ""),
    ],
)
def test_an_entry_of_other_settings_has_no_rank(
    tmp_path: Path, change: dict[str, Any], reason: str
) -> None:
    """Names are shared, and what they stood for is not; methods choose their own settings."""
    for name, height in (("a", 0.9), ("b", 0.4), ("c", 0.1)):
        folder = write_entry(tmp_path, name, height)
        plain = {"task": {"pairs": {"max_steps": 1}}, "proxy": {"config": {"members": 1}}}
        alter(folder, **plain)
        if name == "a":
            alter(folder, **change)
    board = _board(boards_of(tmp_path), "online")
    withheld = board.decided[0].withheld
    assert set(withheld) == {"a", "b", "c"}
    assert reason in withheld["a"] and bool(withheld["a"]) == bool(reason)
    assert withheld["b"] == withheld["c"] == ""


def test_proxies_meet_under_one_method_at_one_rate(tmp_path: Path) -> None:
    for proxy, height in (("single", 0.9), ("uwo", 0.4), ("mean", 0.1)):
        folder = write_entry(tmp_path, "rloo", height, proxy=proxy)
        alter(folder, method={"rate_factor": 2.0 if proxy == "uwo" else 1.0})
    board = _board(boards_of(tmp_path), "reward side")
    reasons = {name: bool(reason) for name, reason in board.decided[0].withheld.items()}
    assert reasons == {"single": False, "uwo": True, "mean": False}
