"""Stages of several tasks by name, and which code versions an edit of the package moves."""

from __future__ import annotations

import ast
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from overopt.catalog import systems, toml_files
from overopt.execution.code import version as versions
from overopt.execution.code.version import code_version
from overopt.execution.node import Node
from overopt.execution.stage import stage_module
from overopt.run.cell import Cell
from overopt.run.cells import resize
from overopt.run.fronts.nodes import anneal
from overopt.run.graph import Graph
from overopt.spec.engine import Engine
from overopt.spec.flaw import FlawName, FlawSpec
from overopt.spec.noise import NoiseSpec
from own import MIXTURE, SIFTED, VALUED
from systems import path

PACKAGE = Path(versions.__file__).parents[2]
TASKS = {
    "reviews": "rule",
    "tabular": "rule",
    "arithmetic": "rule",
    "ultrafeedback": "classifier",
}
"""A task of each kind of world, and its gold; that of the hub is never fetched here."""
RUNS: tuple[tuple[str, Engine], ...] = (
    ("dpo", "native"),
    ("rloo", "native"),
    ("online_dpo", "native"),
    ("dpo", "trl"),
    ("rloo", "trl"),
)
GRID_NATS = (0.1, 1.0)


def _graph(
    task: str, gold: str, method: str, engine: Engine = "native", proxy: str = "single"
) -> Graph:
    resolved, human = toml_files.load_task(task), toml_files.load_gold(gold)
    if human.kind == "classifier":
        human = human.model_copy(update={"classifier": resolved.classifier})
    system, noise = systems.proxy(proxy), NoiseSpec.parse("0")
    if system.start is not None:
        resolved = resize(resolved, "policy", None, resolved.proxy.comparisons)
    return Graph(Cell(resolved, human, systems.method(method), system, noise, 0, engine))


def _of_task(task: str, gold: str) -> Iterator[tuple[str, Node]]:
    graph = _graph(task, gold, "dpo")
    yield "initial", graph.initial
    yield f"gold:{gold}", graph.gold
    yield "pool", graph.pool
    yield "pairs", graph.pairs
    yield "labels", graph.labels
    yield "proxy", graph.proxy(0)
    yield "score", graph.score(0, graph.pool, "the pool")
    for method, engine in RUNS:
        optimized = _graph(task, gold, method, engine).optimize(None, GRID_NATS)
        yield f"optimize:{method}:{engine}", optimized
    yield "evaluate", graph.evaluate(graph.optimize(None, GRID_NATS))
    yield "measure", graph.along_step(GRID_NATS)
    yield "merge:warp", _graph(task, gold, "warp").merge(GRID_NATS)
    mixture = _graph(task, gold, str(MIXTURE))
    yield "compose:mixture", mixture.merge(GRID_NATS)
    yield "evaluate:mixture", mixture.evaluate(mixture.merge(GRID_NATS))
    valued = _graph(task, gold, str(VALUED))
    yield "value:valued", valued.value
    yield "compose:valued", valued.merge(GRID_NATS)
    sifted = _graph(task, gold, str(SIFTED))
    yield "particles:sifted", sifted.particles(GRID_NATS)
    yield "judge", sifted.evaluate(sifted.particles(GRID_NATS))
    yield "select:bon", _graph(task, gold, "bon").select(GRID_NATS)
    yield "front", graph.front(GRID_NATS)
    if graph.cell.task.world.lists_responses:
        yield "listing", graph.listing
    if graph.cell.task.world.has_steps:
        yield from _of_steps(graph)
    if graph.cell.task.evaluation.annealed_per_prompt:
        yield "anneal", anneal(graph, graph.cell.task, max(GRID_NATS))


def _of_systems() -> Iterator[tuple[str, Node]]:
    """Stages that only some reward-side systems have."""
    merged = _graph("reviews", "rule", "bon", proxy=str(path("averaged"))).proxy(0)
    yield "reviews system:averaged merged", merged
    yield "reviews system:averaged member", dict(merged.inputs)["member.0"]
    headed = _graph("reviews", "rule", "rloo", proxy=str(path("headed")))
    yield "reviews system:headed member", headed.proxy(0)
    labeled = _graph("reviews", "rule", "bon", proxy=str(path("labeled"))).proxy(0)
    yield "reviews system:labeled member", labeled
    yield "reviews system:labeled columns", dict(labeled.inputs)["columns"]
    routed = _graph("reviews", "rule", "bon", proxy=str(path("routed"))).proxy(0)
    yield "reviews system:routed choice", dict(routed.inputs)["labels"]
    paired = _graph("reviews", "rule", "bon", proxy=str(path("paired")))
    yield "reviews system:paired policy", paired.proxy(0)
    yield "reviews system:paired score", paired.score(0, paired.pool, "the pool")
    compared = _graph("reviews", "rule", "bon", proxy=str(path("compared")))
    yield "reviews system:compared member", compared.proxy(0)
    yield "reviews system:compared score", compared.score(0, compared.pool, "the pool")
    yield "reviews system:compared opponents", dict(compared.proxy(0).inputs)["opponents"]
    settled = _graph("reviews", "rule", "bon", proxy=str(path("settled")))
    yield "reviews system:settled member", settled.proxy(0)
    yield "reviews system:headed score", headed.score(0, headed.pool, "the pool")


def _of_people() -> Iterator[tuple[str, Node]]:
    """Stages of tasks with people who differ, and of flawed runs."""
    yield "reviews people:annotators labels", _graph("reviews-annotators", "rule", "dpo").labels
    yield "reviews people:topics labels", _graph("reviews-topic-noise", "rule", "dpo").labels
    plain = _graph("reviews", "rule", "dpo").cell
    names: tuple[FlawName, ...] = ("praise", "coverage")
    for name in names:
        flawed = Graph(replace(plain, flaw=FlawSpec(name=name, dose=0.5)))
        yield f"reviews people:{name} labels", flawed.labels
    yield "reviews people:coverage pairs", flawed.pairs


def _of_steps(graph: Graph) -> Iterator[tuple[str, Node]]:
    """What is made for systems that score steps, of which ``single`` stands for one."""
    cell = graph.cell
    steps = Graph(replace(cell, proxy=cell.proxy.model_copy(update={"step_scores": True})))
    yield "step_labels", dict(steps.proxy(0).inputs)["step_labels"]
    yield "step_proxy", steps.proxy(0)
    yield "step_score", steps.score(0, steps.pool, "the pool")


def stages() -> dict[str, tuple[str, ...]]:
    """``<kind of world> <stage>`` -> the code of its node, as ``code_version`` takes it."""
    found: dict[str, Node] = {}
    for task, gold in TASKS.items():
        kind = toml_files.load_task(task).world.kind
        found.update({f"{kind} {name}": made for name, made in _of_task(task, gold)})
    trained = _graph("reviews", "transformer", "dpo")
    found["reviews gold:transformer"] = trained.gold
    found["reviews pool:transformer"] = trained.pool
    found.update(_of_systems())
    found.update(_of_people())
    return {name: (stage_module(made.stage), *made.extra_code) for name, made in found.items()}


class Copy:
    """A copy of the package that is edited in place of it.

    Args:
        folder: where it is copied to.
        redirect: makes the code version read another folder, as ``redirect(folder)``.
    """

    def __init__(self, folder: Path, redirect: Callable[[Path], None]) -> None:
        self.root = folder / PACKAGE.name
        shutil.copytree(PACKAGE, self.root, ignore=shutil.ignore_patterns("__pycache__"))
        redirect(self.root)
        self._stages = stages()
        self._before = self._versions()

    def _versions(self) -> dict[str, str]:
        for cached in (versions._read, code_version):
            cached.cache_clear()
        return {name: code_version(*parts) for name, parts in self._stages.items()}

    def moved(self, file: str, edit: Callable[[str], str]) -> list[str]:
        """The stages that the edit of one file moves; the file is put back."""
        path = self.root / file
        kept = path.read_text(encoding="utf-8")
        path.write_text(edit(kept), encoding="utf-8")
        try:
            now = self._versions()
        finally:
            path.write_text(kept, encoding="utf-8")
        return sorted(name for name, before in self._before.items() if now[name] != before)

    @property
    def names(self) -> list[str]:
        """All stages, sorted."""
        return sorted(self._stages)


def a_line(text: str) -> str:
    """One more line at the end of a module."""
    return f"{text}\nADDED = 1\n"


def a_comment(text: str) -> str:
    """One more comment at the end of a module."""
    return f"{text}\n# Why it is so.\n"


def statement_in(function: str) -> Callable[[str], str]:
    """One more statement at the beginning of a function's body."""

    def edit(text: str) -> str:
        (found,) = (
            node
            for node in ast.walk(ast.parse(text))
            if isinstance(node, ast.FunctionDef) and node.name == function
        )
        first = found.body[1] if ast.get_docstring(found) else found.body[0]
        return _insert(text, first.lineno - 1, " " * first.col_offset + "assert True")

    return edit


def field_of(name: str) -> Callable[[str], str]:
    """One more field, with a default, at the end of a class's fields."""

    def edit(text: str) -> str:
        (found,) = (
            node
            for node in ast.walk(ast.parse(text))
            if isinstance(node, ast.ClassDef) and node.name == name
        )
        last = [node for node in found.body if isinstance(node, ast.AnnAssign)][-1]
        assert last.end_lineno is not None
        return _insert(text, last.end_lineno, " " * last.col_offset + "added: int | None = None")

    return edit


def _insert(text: str, at: int, line: str) -> str:
    lines = text.splitlines()
    return "\n".join([*lines[:at], line, *lines[at:]]) + "\n"
