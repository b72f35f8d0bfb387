"""A proxy with a planted error scores as the one it is a copy of, plus the error."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from overopt.artifacts.planted.score_error import errors
from overopt.artifacts.proxy import Member
from overopt.artifacts.tables import Table
from overopt.commands.axes.grid import resolve_all
from overopt.commands.request import Request
from overopt.errors import UserError
from overopt.execution.contract import silent
from overopt.execution.node import Node, ancestry
from overopt.run.cells import cells_of
from overopt.run.graph import Graph
from overopt.spec.score_error import ScoreErrorSpec
from overopt.stages.planted import error
from overopt.worlds.contract import world_of

from ..conftest import WORLD


@pytest.mark.parametrize("dose", [0.0, 1.5])
def test_scores_are_the_proxys_and_the_error(
    artifacts: dict[str, Path], tmp_path: Path, dose: float
) -> None:
    spec = ScoreErrorSpec(distribution="student", dose=dose)
    (tmp_path / "proxy").mkdir()
    for file in artifacts["proxy"].iterdir():
        (tmp_path / "proxy" / file.name).symlink_to(file)
    (tmp_path / "proxy" / "manifest.json").write_text("{}")  # the store's record of the original
    out = tmp_path / "out"
    out.mkdir()
    params = {"error": spec.to_json(), "seed": 3}
    error.run(params, {"proxy": tmp_path / "proxy"}, out, silent)
    assert not (out / "manifest.json").exists()
    world = world_of({"world": WORLD.to_json()})
    table = Table(artifacts["pool"] / "samples.parquet")
    prompts = world.heldout_prompts.take(table.integers("prompt_id"))
    responses = table.tokens("response")
    plain_N = Member(artifacts["proxy"], world).score(prompts, responses)
    found_N = Member(out, world).score(prompts, responses)
    assert np.array_equal(found_N, plain_N + errors(spec, 3, prompts, responses))
    assert np.array_equal(found_N, plain_N) == (dose == 0.0)


def _points(proxy: str, *settings: str, method: str = "rloo") -> Node:
    asked = Request(
        method=[method], task="tabular", proxy=[proxy], seeds=1, settings=list(settings)
    )
    (run,) = resolve_all(asked)
    points = Graph(cells_of(run)[0]).points("step", run.kl_grid_nats)
    assert points is not None
    return points


def test_members_are_trained_as_without_it_and_everything_reads_the_copy() -> None:
    plain = {made.key for made in ancestry([_points("uwo")]) if made.stage.endswith(".proxy")}
    nodes = list(ancestry([_points("uwo", "proxy.error.dose=2.0")]))
    trained = {made.key for made in nodes if made.stage.endswith("stages.proxy")}
    planted = {made.key for made in nodes if made.stage.endswith("planted.error")}
    assert trained == plain and len(planted) == len(plain) == 5
    readers = [
        given.key
        for made in nodes
        if not made.stage.endswith("planted.error")
        for role, given in made.inputs
        if role.partition(".")[0] == "proxy"
    ]
    assert readers and set(readers) == planted


@pytest.mark.parametrize("proxy", ["implicit", "prm", "online-rm"])
def test_other_kinds_of_scores_are_refused(proxy: str) -> None:
    with pytest.raises(UserError, match=r"proxy\.error is planted in the score of a plain"):
        _points(proxy, "proxy.error.dose=1.0")


def test_attributes_are_correlated_for_systems_that_learn_them() -> None:
    nodes = list(ancestry([_points("composite", "proxy.correlation=0.5", method="bon")]))
    columns = [made for made in nodes if made.name == "label_columns"]
    assert [made.params["correlation"] for made in columns] == [0.5]
    with pytest.raises(UserError, match="single learns none"):
        _points("single", "proxy.correlation=0.5")
