"""T3 without a run: what is run again, and what is said of claims."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from overopt.catalog.lookup import files
from overopt.catalog.methods import method
from overopt.catalog.systems import proxy
from overopt.catalog.toml_files import load_gold, load_task
from overopt.errors import UserError
from overopt.execution.node import Node, ancestry
from overopt.leaderboard.sandbox.graph import SEALED, SealedGraph
from overopt.leaderboard.tiers.t3 import again, judge, judge_claims
from overopt.leaderboard.verification.claims import Claim, Worlds
from overopt.leaderboard.verification.trial import Trial
from overopt.run.cell import Cell
from overopt.run.cells import cells_of
from overopt.spec.engine import Engine
from overopt.spec.noise import NoiseSpec
from overopt.spec.rounds import RoundsSpec
from overopt.spec.run import RunSpec

FRESH = (2**52 + 1, 2**52 + 2, 2**52 + 3)


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """A shipped method as a file of one's own that writes a file whenever it is run."""
    file = tmp_path / "mine.py"
    shutil.copy(files("methods")["dpo"], file)
    file.write_text(f"{file.read_text()}\n\nopen({str(tmp_path / 'ran')!r}, 'w').close()\n")
    return file


def spec_of(file: Path) -> RunSpec:
    task = load_task("tabular")
    read = method(str(file))
    return RunSpec(
        task=task,
        worlds=(0, 1),
        gold=load_gold("rule"),
        methods=(read.model_copy(update={"source": file.name}),),
        proxies=(proxy("single"),),
        noises=(NoiseSpec.parse("0"),),
        proxy_starts=("scratch",),
        proxy_widths=(None,),
        comparisons=(512,),
        seeds=(0, 1),
        kl_grid_nats=(1.0, 2.0),
        standard=True,
    )


def test_only_worlds_and_seeds_change_and_nothing_is_run(mine: Path) -> None:
    spec = spec_of(mine)
    fresh, problem = again(spec, mine, FRESH, (0, 1, 2))
    assert problem == ""
    assert (fresh.worlds, fresh.seeds, fresh.task.world.seed) == (FRESH, (0, 1, 2), FRESH[0])
    assert fresh.methods[0].source == str(mine)
    same = {"worlds": spec.worlds, "seeds": spec.seeds, "task": spec.task, "methods": spec.methods}
    assert fresh.model_copy(update=same) == spec
    cell = Cell(fresh.task, fresh.gold, fresh.methods[0], fresh.proxies[0], fresh.noises[0], seed=0)
    graph = SealedGraph(cell)
    points = graph.along_step((1.0,))
    stages = {made.stage for made in _all(points)}
    assert SEALED in stages
    assert "overopt.stages.optimize" not in stages
    own = {made.stage for made in _all(points) if str(mine) in made.extra_code}
    assert own == {SEALED}
    assert not (mine.parent / "ran").exists()


@pytest.mark.parametrize("engine", ["native", "stacked", "trl"])
@pytest.mark.parametrize("rounds", [None, RoundsSpec(count=2)])
def test_a_file_is_sealed_or_refused_however_it_was_run(
    engine: Engine, rounds: RoundsSpec | None, mine: Path
) -> None:
    """Stacks and rounds load the method in stages of their own, which have no walls."""
    spec = spec_of(mine).model_copy(update={"engine": engine})
    spec = spec.model_copy(update={"task": spec.task.model_copy(update={"rounds": rounds})})
    fresh, _ = again(spec, mine, FRESH, (0, 1))
    cell = cells_of(fresh)[0]
    if engine == "native" and rounds is None:
        made = [one for one in _all(SealedGraph(cell).along_step((1.0,))) if one.extra_code]
        assert {one.stage for one in made if str(mine) in one.extra_code} == {SEALED}
        looked = SealedGraph(cell).varied(proxy=proxy("uwo")).optimize(None, (1.0,))
        assert looked.stage == SEALED
        shipped = SealedGraph(cell).varied(method=method("dpo")).optimize(None, (1.0,))
        assert shipped.stage == "overopt.stages.optimize"
    else:
        with pytest.raises(UserError, match="verify it up to tier T2"):
            SealedGraph(cell)


def _all(made: Node) -> list[Node]:
    return list(ancestry([made]))


def test_a_file_that_declares_something_else_is_found(mine: Path) -> None:
    spec = spec_of(mine)
    mine.write_text(mine.read_text().replace('USES_GOLD = "none"', 'USES_GOLD = "training"'))
    assert "declares something else" in again(spec, mine, FRESH, (0, 1, 2))[1]
    mine.write_text("FAMILY = 'pairs'\n")
    assert "no class Config" in again(spec, mine, FRESH, (0, 1, 2))[1]


@pytest.mark.parametrize("name", ["bon", "warp", "dera", "ilql"])
def test_methods_whose_code_runs_elsewhere_are_refused(name: str, mine: Path) -> None:
    spec = spec_of(mine)
    cell = Cell(spec.task, spec.gold, method(name), spec.proxies[0], spec.noises[0], seed=0)
    with pytest.raises(UserError, match="verify it up to tier T2"):
        SealedGraph(cell)


@pytest.mark.parametrize("name", ["orm", "prm", "hybrid"])
def test_proxies_that_are_told_gold_are_refused(name: str, mine: Path) -> None:
    spec = spec_of(mine)
    task = load_task("arithmetic")
    cell = Cell(task, spec.gold, spec.methods[0], proxy(name), spec.noises[0], seed=0)
    with pytest.raises(UserError, match=f"{name} is a proxy system of one's own or is told gold"):
        SealedGraph(cell)


def test_without_a_round_there_is_no_t3(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="give --round FOLDER"):
        judge(Trial(tmp_path), lambda words: None)


def claim(name: str, *values: float) -> Claim:
    return Claim("proxy single", name, dict(enumerate(values)))


def outcomes(claimed: list[Claim], fresh: list[Claim], worlds: int = 2) -> list[tuple[str, str]]:
    told = judge_claims(claimed, fresh, Worlds(tuple(range(worlds)), (0, 1, 2)), "here")
    return [(one.check, one.outcome) for one in told]


def test_claims_that_hold_and_that_do_not() -> None:
    fresh = [claim("a", 0.9, 1.0, 1.1), claim("b", 0.9, 1.0, 1.1)]
    assert outcomes([claim("a", 1.0, 1.1), claim("b", 0.8, 0.9)], fresh) == [
        ("reach", "pass"),
        ("claims", "pass"),
        ("claims", "pass"),
    ]
    assert outcomes([claim("a", 19.0, 19.1), claim("b", 0.8, 0.9)], fresh) == [
        ("reach", "pass"),
        ("claims", "fail"),
        ("claims", "pass"),
    ]


def test_an_entry_none_of_whose_claims_is_reached_is_not_verified_by_that() -> None:
    for fresh in ((1.0,), (1.0, 1.1)):
        assert outcomes([claim("a", 1.0, 1.1)], [claim("a", *fresh)]) == [
            ("reach", "note"),
            ("reach", "pass"),
            ("claims", "fail"),
        ]


def test_how_far_a_method_gets_is_tested_and_an_honest_one_passes() -> None:
    """Worlds are reached by chance: of honest entries 1 % may fail, and a lie of many is found."""
    rng = np.random.default_rng(0)
    worlds = Worlds(tuple(range(6)), tuple(range(10, 22)))
    for chance in (0.3, 0.5, 0.9):
        failed = 0
        for _ in range(60):
            claimed, fresh = (
                Claim("s", "gold at 8 nats", {w: 1.0 for w in of if rng.random() < chance})
                for of in worlds
            )
            if not claimed.of_world:
                continue  # nothing is claimed
            told = judge_claims([claimed], [fresh], worlds, "here")
            failed += any(one.check == "reach" and one.outcome == "fail" for one in told)
        assert failed <= 2
    everywhere = Claim("s", "gold at 8 nats", dict.fromkeys(worlds.claimed, 1.0))
    found = {one.check: one.outcome for one in judge_claims([everywhere], [], worlds, "here")}
    assert found["reach"] == "fail"
