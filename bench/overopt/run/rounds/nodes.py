"""The part of a cell's graph that rounds after the first make otherwise: labels, and the start.

Everything else of a round is made as ever: proxies of its labels, the run against them, points.
Method files know nothing of it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any, Protocol, Self

from overopt.errors import UserError
from overopt.execution.node import Node
from overopt.run.making import Make
from overopt.spec.engine import Engine
from overopt.spec.flaw import FlawSpec
from overopt.spec.method import MethodSpec
from overopt.spec.system import ProxySystemSpec
from overopt.spec.task import TaskSpec

_ROUND = 1 << 80
"""From one round's draws to the next: beyond all seeds of all worlds."""


class Asked(Protocol):
    """What is asked of a cell (see ``run.cell``)."""

    @property
    def task(self) -> TaskSpec:
        """The task, at its round."""
        ...

    @property
    def method(self) -> MethodSpec:
        """The method."""
        ...

    @property
    def proxy(self) -> ProxySystemSpec:
        """The reward-side system."""
        ...

    @property
    def flaw(self) -> FlawSpec | None:
        """The flaw of the preference data, if it has one."""
        ...

    @property
    def engine(self) -> Engine:
        """What trains."""
        ...

    @property
    def stream(self) -> int:
        """The number that random draws start from."""
        ...

    @property
    def place(self) -> str:
        """What tells the cell from others of its method and proxy system."""
        ...


class Rounded(Protocol):
    """A graph of a cell with rounds."""

    @property
    def cell(self) -> Asked:
        """The cell."""
        ...

    @property
    def before(self) -> Self:
        """The graph of the round before."""
        ...

    @property
    def pairs(self) -> Node:
        """Unlabeled pairs of its round."""
        ...

    @property
    def labels(self) -> Node:
        """Preference data of its round, with those of earlier rounds where the task says so."""
        ...

    def optimize(
        self, knob_value: float | None, kl_grid_nats: tuple[float, ...], member: int | None = None
    ) -> Node:
        """The method's run."""
        ...


class Labeled(Protocol):
    """Preference data of one round."""

    @property
    def labels(self) -> Node:
        """Its labels."""
        ...


class RoundLabels:
    """Preference data of a round after the first.

    Pairs that judge and scale proxies stay those of the initial policy, so that a score means the
    same in every round.

    Args:
        make: makes nodes of the cell's world.
        around: the cell's graph.
        label: labels pairs, by draws that start so much further on.

    Raises:
        UserError: the cell's method trains nothing, or its pairs are not those of a policy.
    """

    def __init__(
        self, make: Make, around: Rounded, label: Callable[[Callable[[], Node], int], Labeled]
    ) -> None:
        self._cell, self._make, self._graph = around.cell, make, around
        self._number = around.cell.task.round
        _refuse(around.cell)
        self._fresh = label(lambda: self.pairs, self._number * _ROUND)

    @cached_property
    def pairs(self) -> Node:
        """Unlabeled pairs of the last policy of the round before."""
        cell, before = self._cell, self._graph.before
        first = before
        while first.cell.task.round > 1:
            first = first.before
        params: dict[str, Any] = {
            "comparisons": cell.task.proxy.comparisons,
            "seed": cell.stream + self._number * _ROUND,
        }
        if cell.task.rounds is not None and cell.task.rounds.prompts == "repeated":
            params["repeated"] = True
        inputs = {"optimize": ended(before), "first": first.pairs}
        label = f"pairs of round {self._number}, {cell.place}"
        return self._make("rounds.pairs", params, inputs, label)

    @cached_property
    def labels(self) -> Node:
        """Labels of this round's pairs, behind those of all earlier rounds where these count."""
        fresh = self._fresh.labels
        rounds = self._cell.task.rounds
        if rounds is None or rounds.data == "last":
            return fresh
        inputs = {"earlier": self._graph.before.labels, "fresh": fresh}
        label = f"labels of rounds 1 to {self._number}, {self._cell.place}"
        # what else is made of labels asks how they were made
        params = {"noise": fresh.params["noise"]}
        return self._make("rounds.joined", params, inputs, label)


def ended(graph: Rounded) -> Node:
    """The method's run in a round that another one follows."""
    rounds = graph.cell.task.rounds
    return graph.optimize(None, () if rounds is None else rounds.end_nats)


def of_round(
    around: Rounded, params: dict[str, Any], inputs: dict[str, Node]
) -> tuple[str, dict[str, Any], dict[str, Node]]:
    """The stage that a run is made by, its parameters and inputs: in which round, and from where.

    Raises:
        UserError: the run goes on where another engine's has ended.
    """
    task = around.cell.task
    if task.rounds is None or task.round == 1:
        return "optimize", params, inputs
    if around.cell.engine == "trl" and task.rounds.start != "initial":
        raise UserError(
            f"rounds.start = {task.rounds.start} goes on with a policy that the engine native has "
            "trained; give --engine native, or start each round from the initial policy."
        )
    if around.cell.engine == "trl" and task.rounds.proxy == "mean":
        raise UserError(
            "rounds.proxy = mean is read by the engine native only; give --engine native, or "
            "rounds.proxy=average."
        )
    params = {**params, "start": task.rounds.start}
    if task.rounds.share is not None:
        params["share"] = task.rounds.share
    return "rounds.optimize", params, {**inputs, "before": ended(around.before)}


def _refuse(cell: Asked) -> None:
    """Refuse what has no policy that could be sampled and labeled anew."""
    task, method, proxy = cell.task, cell.method, cell.proxy
    asked = f"rounds.count = {task.round}"
    if not _moves_a_policy(method):
        raise UserError(
            f"{asked}: {method.name} trains no policy that the next round could label; leave it "
            "out, or run it in a command of its own."
        )
    if task.world.pool is not None or (task.world.hub and task.world.hub.pairs == "data"):
        raise UserError(
            f"{asked}: the pairs of {task.name} are those of its data, not of a policy; choose "
            "another --task."
        )
    if task.labels is not None:
        raise UserError(
            f"{asked}: labels of later rounds are gold's through noise, and {task.name} has people "
            "who label; choose another --task."
        )
    if proxy.step_scores or proxy.refits:
        raise UserError(
            f"{asked}: {proxy.name} has labels of its own and takes none of later rounds; choose "
            "another --proxy."
        )
    if cell.flaw is not None and cell.flaw.name == "coverage":
        raise UserError(f"{asked}: --flaw {cell.flaw.label} is one of the first pairs; leave it.")


def _moves_a_policy(method: MethodSpec) -> bool:
    return method.retrains and method.member is None and method.family != "merge"
