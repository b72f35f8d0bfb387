"""What T1 builds of a submission: everything that it is judged by, and nothing of the method."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from overopt.catalog.lookup import files
from overopt.commands.arguments import resolve
from overopt.commands.request import Request
from overopt.execution.node import ancestry
from overopt.leaderboard.submission.checking import check_tiers
from overopt.leaderboard.tiers.rebuilt import _wanted, refuse_foreign
from overopt.run.cells import cells_of
from overopt.run.graph import Graph
from overopt.spec.engine import Engine
from overopt.spec.rounds import RoundsSpec
from overopt.spec.run import RunSpec


@pytest.fixture
def spec(tmp_path: Path) -> RunSpec:
    """A run of a method that is a file of the submitter's."""
    own = shutil.copy(files("methods")["dpo"], tmp_path / "mine.py")
    return resolve(Request(method=[str(own)], task="tabular", worlds=1, seeds=2, kl_grid=[]))


def with_rounds(spec: RunSpec) -> RunSpec:
    rounds = {"rounds": RoundsSpec(count=2)}
    return spec.model_copy(update={"task": spec.task.model_copy(update=rounds)})


@pytest.mark.parametrize("engine", ["native", "stacked", "trl"])
def test_nothing_that_is_built_runs_the_method(spec: RunSpec, engine: Engine) -> None:
    for cell in cells_of(spec.model_copy(update={"engine": engine})):
        asked = next(_wanted(Graph(cell)))
        assert len(asked) > 4
        code = {code for made in ancestry(asked) for code in made.extra_code}
        assert cell.method.source not in code


def test_rounds_whose_labels_need_the_method_s_policies_are_not_built(spec: RunSpec) -> None:
    assert refuse_foreign(spec) == ""
    assert "rounds" in refuse_foreign(with_rounds(spec))
    with pytest.raises(StopIteration, match="no check does outside of the walls"):
        next(_wanted(Graph(cells_of(with_rounds(spec))[0])))


@pytest.mark.parametrize(
    ("asked", "tiers"),
    [((), ("t0", "t1")), (("T1",), ("t0", "t1")), (("t0",), ("t0",)), (("t1", "t0"), ("t0", "t1"))],
)
def test_a_tier_rests_on_those_below_it(asked: tuple[str, ...], tiers: tuple[str, ...]) -> None:
    assert check_tiers(asked) == tiers
