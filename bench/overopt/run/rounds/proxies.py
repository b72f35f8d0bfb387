"""The part of a cell's graph that makes its proxies: as ever, or out of those of several rounds."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any, Protocol, Self

from overopt.errors import UserError
from overopt.execution.code.modules import module_in
from overopt.execution.node import Node
from overopt.run.making import NO_REFITTING, Make, Refitting, Stream
from overopt.run.own_files import described
from overopt.run.planted.nodes import plain_or_planted
from overopt.run.proxy_nodes import Around as AroundOne
from overopt.run.proxy_nodes import ProxyNodes
from overopt.run.rounds.nodes import Asked
from overopt.run.step_nodes import StepNodes
from overopt.spec.noise import NoiseSpec
from overopt.spec.proxy import ProxySpec
from overopt.spec.system import ProxySystemSpec


class Cell(Asked, Protocol):
    """What is asked of a cell."""

    @property
    def noise(self) -> NoiseSpec:
        """Label noise."""
        ...


class Around(AroundOne, Protocol):
    """The graph that proxies are a part of."""

    @property
    def pairs(self) -> Node:
        """Unlabeled pairs."""
        ...

    @property
    def before(self) -> Self:
        """The graph of the round before."""
        ...

    @property
    def combined(self) -> CombinedNodes:
        """Its proxies, where they are combined."""
        ...


class CombinedNodes:
    """Proxies of a round that count together with those of the rounds before it.

    ``mean``: each member's score is the mean over rounds, every one in SDs of the initial policy.
    ``average``: each member's weights are, and its scores are normalized anew. Members of a number
    start from the same weights in all rounds. In round 1 both are the proxies as ever.

    reading_code: what has to be loaded by name to read a proxy.

    Args:
        how: ``mean`` or ``average``.
        own: proxies of this round's labels.
        earlier: those of the rounds before, the first one first.
        system: the reward-side system.
        spec: how the task builds and trains proxies.
        stream: of the cell.
        make: makes nodes of the cell's world.
        labels: preference data of this round, whose held-out pairs normalize.
    """

    def __init__(
        self,
        how: str,
        own: ProxyNodes,
        earlier: Callable[[], list[ProxyNodes]],
        system: ProxySystemSpec,
        spec: ProxySpec,
        stream: Stream,
        make: Make,
        labels: Callable[[], Node],
    ) -> None:
        self._how, self._own, self._earlier = how, own, earlier
        self._system, self._spec, self._stream = system, spec, stream
        self._make, self._labels = make, labels
        self._made: dict[int, Node] = {}
        self.reading_code = own.reading_code

    @cached_property
    def rounds(self) -> list[ProxyNodes]:
        """Proxies of the labels of every round so far."""
        return [*self._earlier(), self._own]

    @property
    def refitting(self) -> Refitting:
        """What a run against a mean needs besides: the proxies of earlier rounds."""
        earlier = self.rounds[:-1]
        if self._how == "average" or not earlier:
            return NO_REFITTING
        inputs = {
            f"round.{number}.proxy.{member}": one.proxy(member)
            for number, one in enumerate(earlier, 1)
            for member in range(self._system.scored)
        }
        return Refitting(
            {"earlier": len(earlier)}, inputs, (module_in("artifacts", "rounds.reward"),)
        )

    def proxy(self, member: int) -> Node:
        """One proxy that scores: of this round's labels, or what those of all rounds average to."""
        if self._how == "mean" or len(self.rounds) == 1:
            return self._own.proxy(member)
        if member not in self._made:
            inputs = {"labels": self._labels()}
            for number, one in enumerate(self.rounds, 1):
                inputs[f"round.{number}"] = one.proxy(member)
            label = f"proxy {member} of {len(self.rounds)} rounds, {self._stream.place}"
            params = {"rounds": len(self.rounds)}
            code = self.reading_code
            self._made[member] = self._make("rounds.averaged", params, inputs, label, code)
        return self._made[member]

    def score(self, member: int, samples: Node, role: str) -> Node:
        """One proxy's scores on the samples of the pool or of an evaluation."""
        if len(self.rounds) == 1:
            return self._own.score(member, samples, role)
        label = f"proxy {member} of {len(self.rounds)} rounds on {role}, {self._stream.place}"
        if self._how == "average":
            inputs = {"samples": samples, "proxy": self.proxy(member)}
            return self._make("score", {}, inputs, label, self.reading_code)
        read = {
            f"score.{number}": one.score(member, samples, role)
            for number, one in enumerate(self.rounds, 1)
        }
        return self._make("rounds.scores", {"rounds": len(self.rounds)}, read, label)


Proxies = ProxyNodes | StepNodes | CombinedNodes
"""Whatever makes a cell's proxies."""


def proxies_of(cell: Cell, make: Make, around: Around) -> Proxies:
    """What makes the proxies of a cell.

    Raises:
        UserError: the task asks of them what the system is not made for.
    """
    system: dict[str, Any] = described(cell.proxy)
    stream = Stream(cell.stream, cell.place)
    plain = plain_or_planted(cell.proxy, cell.task.proxy)
    if cell.proxy.step_scores:
        return StepNodes(cell.proxy, system, cell.task, cell.noise, stream, make, around)
    own = plain(cell.proxy, system, cell.task.proxy, stream, make, around)
    rounds = cell.task.rounds
    if rounds is None or rounds.proxy == "last":
        return own
    _refuse(rounds.proxy, cell)
    return CombinedNodes(
        rounds.proxy,
        own,
        lambda: around.before.combined.rounds if cell.task.round > 1 else [],
        cell.proxy,
        cell.task.proxy,
        stream,
        make,
        lambda: around.labels,
    )


def _refuse(how: str, cell: Cell) -> None:
    """Refuse what has no scores, or no weights, that several rounds could have in common."""
    proxy = cell.proxy
    special = proxy.pairwise or proxy.refits or proxy.attacker is not None
    if how == "average":
        special = special or proxy.reader is not None or cell.task.proxy.error is not None
    if special:
        raise UserError(
            f"rounds.proxy = {how} is one of plain reward models, and {proxy.name} scores "
            "otherwise; choose another --proxy, such as single."
        )
