"""Builds every stage of small tasks, each with the package freshly imported, and notes its modules.

Run as a program with a folder as its argument, in which the artifacts lie afterwards.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from hub import folders
from overopt.catalog import systems
from overopt.commands.arguments import resolve
from overopt.commands.request import Request
from overopt.execution.code.modules import PACKAGE, is_file
from overopt.execution.code.version import covered_modules
from overopt.execution.contract import silent
from overopt.execution.node import Node, ancestry
from overopt.execution.stage import stage_function, stage_module
from overopt.run.cells import cells_of
from overopt.run.exams.nodes import exams
from overopt.run.fronts.nodes import anneal
from overopt.run.graph import Graph
from overopt.run.streamed.nodes import stream
from overopt.run.watching.looks import Looked, looks
from overopt.run.watching.nodes import WatchNodes
from overopt.run.watching.rankings import Beside, beside
from overopt.spec.exam import ExamSpec
from overopt.spec.flaw import FlawSpec
from overopt.spec.gold import GoldSpec
from overopt.spec.labeling import LabelingSpec, PopulationSpec, UnevenNoiseSpec
from overopt.spec.look import LOOKS
from overopt.spec.rounds import RoundsSpec
from overopt.spec.score_error import ScoreErrorSpec
from own import MIXTURE, SIFTED, VALUED
from stages import step_system
from systems import path

from .specs import TASK

BASE = '[proxy.base]\npath = "base"\nformat = "{prompt}\\n{response}"\n'
JUDGE = '[classifier]\npath = "gold"\nformat = "{prompt}\\n{response}"\n'

TABLE_TASK = """
extends = "pool"
summary = "Few pairs"
[world]
train_prompts = 20
heldout_prompts = 4
[policy]
examples = 64
[proxy]
comparisons = 32
calibration_samples = 32
"""
GRID = (0.02, 0.05)
OWN = (
    *("averaged", "headed", "labeled", "routed", "paired", "compared", "settled"),
    *("anchored", "fooled", "judged", "repeated", "weighed"),
)
"""Systems with stages of their own."""


def _graphs(
    task: Path, methods: list[str], engine: str = "native", **changed: object
) -> list[Graph]:
    request = Request(method=methods, task=str(task), seeds=1, engine=engine)
    return [Graph(cell) for cell in cells_of(resolve(request).model_copy(update=changed))]


def _hub_task(place: Path, gold: str = "rule", hub: str = "", tables: str = "") -> Path:
    """A task of local folders, with every folder that a task can name."""
    place.mkdir()
    folders.write_folder(place / "policy", "gpt2")
    folders.write_folder(place / "gold", "qwen2", classifier=True)
    folders.write_folder(place / "base", "llama")
    folders.write_table(place / "rows.parquet")
    return folders.write_task(place, gold=gold, hub=hub, tables=tables)


def _wanted(place: Path) -> Iterator[Node]:
    """Nodes that load by name all that can be, but for methods and proxies."""
    dpo, rloo, online, warp, bon = _graphs(TASK, ["dpo", "rloo", "online_dpo", "warp", "bon"])
    merged = warp.points("step", GRID)
    assert merged is not None
    yield from (dpo.along_step(GRID), dpo.front(GRID), bon.select(GRID), merged)
    yield from _of_merges(warp)
    for own in (MIXTURE, VALUED, SIFTED):
        (composing,) = _graphs(TASK, [str(own)])
        composed = composing.points("step", GRID)
        assert composed is not None
        yield composed
    yield anneal(dpo, dpo.cell.task, max(GRID))
    (searching,) = _graphs(TASK, ["mcts"])
    searched = searching.points("step", GRID)
    assert searched is not None
    yield searched
    for asking in _graphs(TASK, ["mbr_bon", "caution"]):
        yield asking.select(GRID)
    smooth = {"proxies": (systems.proxy("labelsmooth"),)}
    (own_loss,) = _graphs(TASK, ["bon"], "native", **smooth)
    yield own_loss.select(GRID)
    for name in OWN:
        own_system = {"proxies": (systems.proxy(str(path(name))),)}
        with_own, own_rloo = _graphs(TASK, ["bon", "rloo"], "native", **own_system)
        yield from (with_own.select(GRID), own_rloo.optimize(None, GRID))
        yield from exams(with_own, ExamSpec()) if name == "averaged" else ()
    yield from (rloo.optimize(None, GRID), online.optimize(None, GRID))
    for asking in _graphs(TASK, ["nash_md", "salsa", "srpo"]):
        yield asking.optimize(None, GRID)
    yield from _of_people(dpo)
    yield from _of_axes(dpo, rloo)
    refitted = systems.proxy("online_rm", {"every": 1})  # or the run ends before it is refitted
    followed = {"proxies": (refitted, systems.proxy("pm"))}
    for against in _graphs(TASK, ["nash_md"], "native", **followed):
        yield against.optimize(None, GRID)
    for inside in _graphs(TASK, ["dpo", "rloo"], "trl"):
        yield inside.optimize(None, GRID)
    proxy = dpo.cell.task.proxy
    trained = GoldSpec(
        name="trained",
        summary="",
        kind="model",
        architecture=proxy.architecture,
        comparisons=64,
        training=proxy.training,
    )
    from_policy = {"gold": trained, "proxy_starts": ("policy",), "proxy_widths": (None,)}
    (other,) = _graphs(TASK, ["bon"], "native", **from_policy)
    yield from (other.select(GRID), other.front(GRID))
    judged = _hub_task(place / "judged", gold="classifier", tables=JUDGE + BASE)
    (against_base,) = _graphs(judged, ["rloo"])
    yield from (against_base.along_step(GRID), against_base.front(GRID))
    compared = _hub_task(place / "compared", hub='pairs = "data"\nlabels = "data"')
    (of_data,) = _graphs(compared, ["dpo"])
    yield from (of_data.along_step(GRID), of_data.front(GRID))
    yield from _of_steps(place)
    yield from _of_table(place)


def _of_merges(plain: Graph) -> Iterator[Node]:
    """Two iterations of runs that end at steps, and the angles between the last."""
    method = systems.method("warp", {"steps": 2, "iterations": 2})
    again = Graph(replace(plain.cell, method=method))
    yield from (again.merge(GRID), *again.angles(GRID))


def _of_table(place: Path) -> Iterator[Node]:
    """A world whose responses lie in a table, with proxies that need its texts in other ways."""
    task = place / "chosen.toml"
    task.write_text(TABLE_TASK, encoding="utf-8")
    for name in ("single", "pm"):
        (chosen,) = _graphs(task, ["bon"], "native", proxies=(systems.proxy(name),))
        yield from (chosen.select(GRID), chosen.front(GRID))


def _of_axes(pairs: Graph, online: Graph) -> Iterator[Node]:
    """Second rounds of all kinds, a planted error, and a stream."""
    for rounds in (
        RoundsSpec(count=2, start="last", steps=2),
        RoundsSpec(count=2, start="liti", share=0.5, prompts="repeated", proxy="mean", steps=2),
        RoundsSpec(count=2, proxy="average", steps=2),
    ):
        task = online.cell.task.model_copy(update={"rounds": rounds})
        later = Graph(replace(online.cell, task=task))
        yield from (later.optimize(None, GRID), later.score(0, later.pool, "the pool"))
    error = online.cell.task.proxy.model_copy(update={"error": ScoreErrorSpec()})
    planted = Graph(replace(online.cell, task=online.cell.task.model_copy(update={"proxy": error})))
    yield from (planted.optimize(None, GRID), planted.score(0, planted.pool, "the pool"))
    yield stream(pairs, 2, 32)
    yield from _beside(pairs)
    correlated = pairs.cell.task.proxy.model_copy(update={"correlation": 0.5})
    known = pairs.cell.task.model_copy(update={"proxy": correlated})
    composite = replace(pairs.cell, task=known, proxy=systems.proxy("composite"))
    yield Graph(composite).proxy(1)
    yield Graph(composite).component_points


def _beside(pairs: Graph) -> Iterator[Node]:
    """Controls, a part of a larger pool, a stack of seeds, and what monitors see of a run."""
    controls = ("control-gold", "control-random")
    for name in controls:
        (control,) = _graphs(TASK, ["bon"], "native", proxies=(systems.proxy(name),))
        yield control.select(GRID)
    larger = pairs.cell.task.evaluation.model_copy(update={"pool_samples_per_prompt": 96})
    task = pairs.cell.task.model_copy(update={"evaluation": larger})
    yield Graph(replace(pairs.cell, task=task)).along_step(GRID)
    for stacked in _graphs(TASK, ["dpo", "rloo"], "stacked"):
        yield stacked.optimize(None, GRID)
    yield WatchNodes(Graph, pairs.cell, GRID).signals()
    yield from beside(
        pairs, Beside(pairs.cell.method, pairs.cell.proxy, pairs.cell.noise, "dpo"), "step", GRID
    )
    cell, run = pairs.cell, pairs.optimize(None, GRID)
    of = Looked(pairs.along_step(GRID), run, cell.task, cell.proxy, cell.title)
    yield from looks(pairs, LOOKS, of)


def _of_people(plain: Graph) -> Iterator[Node]:
    """Labels of people who differ, with every flaw that loads a module by name."""
    people = LabelingSpec(
        annotators=(PopulationSpec(name="all", share=1.0, weights={}),),
        clean=0.25,
        noise=UnevenNoiseSpec(by="categories", factors=(1.0,) * 5),
    )
    task = plain.cell.task.model_copy(update={"labels": people})
    yield Graph(replace(plain.cell, task=task)).labels
    yield Graph(replace(plain.cell, task=task, proxy=systems.proxy("composite"))).proxy(0)
    for flaw in ("praise:1", "blind-spot:1", "coverage:0.5"):
        yield Graph(replace(plain.cell, flaw=FlawSpec.parse(flaw))).labels


def _of_steps(place: Path) -> Iterator[Node]:
    """A world of steps, and a system that scores them."""
    task, own = place / "sums.toml", place / "mine.py"
    task.write_text(step_system.TASK, encoding="utf-8")
    own.write_text(step_system.OWN, encoding="utf-8")
    scored = {"proxies": (systems.proxy(str(own)),)}
    bon, rloo = _graphs(task, ["bon", "rloo"], "native", **scored)
    yield from (bon.select(GRID), bon.front(GRID), rloo.along_step(GRID))


def _build(made: Node, artifacts: Path) -> set[str]:
    """Build one artifact; names of the package's modules that this imports."""
    for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
        del sys.modules[name]
    out = artifacts / made.key
    out.mkdir()
    inputs = {role: artifacts / given.key for role, given in made.inputs}
    inputs.update({Path(code).name: Path(code) for code in made.extra_code if is_file(code)})
    module = importlib.import_module(stage_module(made.stage))
    getattr(module, stage_function(made.stage))(dict(made.params), inputs, out, silent)
    return {name for name in sys.modules if name.partition(".")[0] == PACKAGE}


def main(place: Path) -> None:
    """Print a JSON list: of each stage its name, what it imported and what its key covers."""
    artifacts = place / "artifacts"
    artifacts.mkdir()
    told = []
    for made in ancestry(list(_wanted(place))):
        covered = covered_modules(stage_module(made.stage), *made.extra_code)
        imported = _build(made, artifacts)
        told.append([made.name, made.title, sorted(imported), sorted(covered)])
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
