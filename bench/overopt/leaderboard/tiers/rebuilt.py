"""What a cell is judged by, built by us: initial policy, gold, pool, proxies and their scores.

None of it runs the method. Only what overopt ships is loaded; a specification that names anything
else, or more work than an entry needs, is refused before anything is built.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from overopt.catalog.systems import proxy
from overopt.errors import UserError
from overopt.execution.code.modules import is_file
from overopt.execution.executors.local import ProcessExecutor
from overopt.execution.node import Node, ancestry
from overopt.execution.outcomes import Notice, Outcome
from overopt.execution.scheduler import execute
from overopt.execution.store import Store
from overopt.leaderboard.tiers.estimator import own_estimator
from overopt.run.cell import Cell
from overopt.run.cells import cells_of
from overopt.run.given.nodes import InitialNodes
from overopt.run.graph import Graph
from overopt.spec.method import MethodSpec
from overopt.spec.run import RunSpec
from overopt.spec.system import ProxySystemSpec

MOST_CELLS = 400
WIDEST = 512
MOST_COMPARISONS = 1 << 16
MOST_MEMBERS = 16
GENERATED = ("tabular", "reviews", "arithmetic")
"""Kinds of world that follow from their seed alone."""


@dataclass(frozen=True)
class Scorer:
    """One member of a proxy: the stage that scores with it, its parameters and its inputs."""

    stage: str
    params: Mapping[str, Any]
    inputs: Mapping[str, Path]


@dataclass(frozen=True)
class Rebuilt:
    """Folders of one cell's artifacts.

    inputs: ``pool``, ``pool.scored`` where a part of it recenters the proxy, and
    ``score.pool.<member>``, by role, as the stage that measures has them.
    """

    cell: Cell
    initial: Path
    gold: Path
    inputs: Mapping[str, Path]
    scorers: Sequence[Scorer]


def refuse_foreign(spec: RunSpec) -> str:
    """Why nothing is built for a specification; empty where all of it is ours and bounded."""
    if spec.task.world.kind not in GENERATED:
        return f"worlds of kind {spec.task.world.kind} are not built here"
    if spec.task.rounds is not None:  # whose later labels are those of the method's own policies
        return "rounds of relabeling run the method and are not built here"
    for given in spec.proxies:
        if problem := _foreign(given):
            return problem
    if len(cells_of(spec)) > MOST_CELLS:
        return f"more than {MOST_CELLS} cells are not built here"
    widths = [width for width in spec.proxy_widths if width is not None]
    if max(widths, default=0) > WIDEST or max(spec.comparisons) > MOST_COMPARISONS:
        return f"proxies wider than {WIDEST} or of more than {MOST_COMPARISONS} comparisons"
    return ""


def _foreign(given: ProxySystemSpec) -> str:
    if given.source != f"overopt.proxies.{given.name.replace('-', '_')}":
        return f"{given.name} is no proxy that overopt ships"
    try:
        shipped = proxy(given.name, dict(given.config))
    except UserError:
        return f"{given.name} has settings that this version does not know"
    if shipped != given:
        return f"{given.name} is not as this version ships it"
    if given.members > MOST_MEMBERS:
        return f"{given.name} with more than {MOST_MEMBERS} members"
    return ""


def rebuild(
    spec: RunSpec, root: Path | None, workers: int, told: Callable[[str], None]
) -> list[Rebuilt]:
    """Build what the cells of a run are judged by; what the store has is not built again.

    Raises:
        UserError: a stage failed, with its sentence.
    """
    store = Store(root)
    routines = [_wanted(Graph(cell)) for cell in cells_of(spec)]

    def notice(one: Notice) -> None:
        if one.kind in ("started", "failed"):
            told(f"{one.kind}: {one.node.title}")

    with ProcessExecutor(store, workers) as executor:
        results = execute(routines, store, executor, notice)
    found = []
    for result in results:
        if result.value is None:
            raise UserError(f"A cell cannot be built: {str(result.error).strip()[-300:]}")
        if isinstance(result.value, str):
            raise UserError(result.value)
        found.append(result.value)
    return found


def reweights(method: MethodSpec) -> bool:
    """Whether a method's policies are the initial policy's pool with other weights."""
    return own_estimator(method) == "pool"


def _recentering(graph: Graph) -> Node:
    """The responses whose scores recenter a proxy: as many as the method's own run scores."""
    if reweights(graph.cell.method):
        return graph.pool
    return InitialNodes(graph.cell.task, graph.make).recentering(graph.pool)


def _wanted(
    graph: Graph,
) -> Generator[Sequence[Node], Mapping[str, Outcome], Rebuilt | str]:
    """Asks for the nodes of a cell, and returns their folders."""
    members = range(graph.cell.proxy.scored)
    scored = _recentering(graph)
    scores = [graph.score(member, scored, "the pool") for member in members]
    parts = [given for score in scores for _, given in score.inputs]
    asked = [graph.initial, graph.gold, graph.pool, scored, *scores, *parts]
    for made in ancestry(asked):
        if own := [code for code in made.extra_code if is_file(code)]:
            return f"{made.label} would run {own[0]}, which no check does outside of the walls"
    outcomes = yield asked
    for node in asked:
        failure = outcomes[node.key].failure
        if failure is not None:
            return f"{failure.title} failed: {failure.message}"
    paths = {node.key: outcomes[node.key].path or Path() for node in asked}
    inputs = {"pool": paths[graph.pool.key]}
    if scored is not graph.pool:
        inputs["pool.scored"] = paths[scored.key]
    scorers = []
    for member, score in zip(members, scores, strict=True):
        inputs[f"score.pool.{member}"] = paths[score.key]
        given = {role: paths[node.key] for role, node in score.inputs if role != "samples"}
        scorers.append(Scorer(score.stage, score.params, given))
    return Rebuilt(
        graph.cell, paths[graph.initial.key], paths[graph.gold.key], inputs, tuple(scorers)
    )
