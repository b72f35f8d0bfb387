"""Proxies of a round that count together with those of the rounds before it."""

from __future__ import annotations

from functools import cached_property
from typing import Protocol, Self

from overopt.errors import UserError
from overopt.execution.code.modules import module_in
from overopt.execution.node import Node
from overopt.run.making import NO_REFITTING, Make, Refitting
from overopt.spec.system import ProxySystemSpec
from overopt.spec.task import TaskSpec


class Asked(Protocol):
    """What is asked of a cell."""

    @property
    def task(self) -> TaskSpec:
        """The task, at its round."""
        ...

    @property
    def proxy(self) -> ProxySystemSpec:
        """The reward-side system."""
        ...

    @property
    def place(self) -> str:
        """What tells the cell from others of its method and proxy system."""
        ...


class Own(Protocol):
    """Proxies of one round's labels."""

    @property
    def reading_code(self) -> tuple[str, ...]:
        """What has to be loaded by name to read one."""
        ...

    def proxy(self, member: int) -> Node:
        """One proxy."""
        ...

    def score(self, member: int, samples: Node, role: str) -> Node:
        """Its scores on some samples."""
        ...


class Around(Protocol):
    """The graph that proxies are a part of."""

    @property
    def labels(self) -> Node:
        """Preference data of its round, whose held-out pairs normalize."""
        ...

    @property
    def before(self) -> Self:
        """The graph of the round before."""
        ...

    @property
    def combined(self) -> CombinedNodes:
        """Its proxies, where they are combined."""
        ...


def combines(task: TaskSpec) -> bool:
    """Whether proxies of a round count together with earlier ones."""
    return task.rounds is not None and task.rounds.proxy != "last"


class CombinedNodes:
    """Proxies of a round that count together with those of the rounds before it.

    ``mean``: each member's score is the mean over rounds, every one in SDs of the initial policy.
    ``average``: each member's weights are, and its scores are normalized anew. Members of a number
    start from the same weights in all rounds. In round 1 both are the proxies as ever.

    reading_code: what has to be loaded by name to read a proxy.

    Args:
        cell: its task says how proxies are combined.
        own: proxies of this round's labels.
        make: makes nodes of the cell's world.
        around: the rest of the graph.

    Raises:
        UserError: the system has no scores, or no weights, that rounds could have in common.
    """

    def __init__(self, cell: Asked, own: Own, make: Make, around: Around) -> None:
        rounds = cell.task.rounds
        assert rounds is not None, "see combines"
        self._how, self._own, self._first = rounds.proxy, own, cell.task.round == 1
        self._system, self._place = cell.proxy, cell.place
        self._make, self._around = make, around
        self._made: dict[int, Node] = {}
        self.reading_code = own.reading_code
        _refuse(self._how, cell)

    @cached_property
    def rounds(self) -> list[Own]:
        """Proxies of the labels of every round so far."""
        earlier = [] if self._first else self._around.before.combined.rounds
        return [*earlier, self._own]

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
            inputs = {"labels": self._around.labels}
            for number, one in enumerate(self.rounds, 1):
                inputs[f"round.{number}"] = one.proxy(member)
            label = f"proxy {member} of {len(self.rounds)} rounds, {self._place}"
            params = {"rounds": len(self.rounds)}
            code = self.reading_code
            self._made[member] = self._make("rounds.averaged", params, inputs, label, code)
        return self._made[member]

    def score(self, member: int, samples: Node, role: str) -> Node:
        """One proxy's scores on the samples of the pool or of an evaluation."""
        if len(self.rounds) == 1:
            return self._own.score(member, samples, role)
        label = f"proxy {member} of {len(self.rounds)} rounds on {role}, {self._place}"
        if self._how == "average":
            inputs = {"samples": samples, "proxy": self.proxy(member)}
            return self._make("score", {}, inputs, label, self.reading_code)
        read = {
            f"score.{number}": one.score(member, samples, role)
            for number, one in enumerate(self.rounds, 1)
        }
        return self._make("rounds.scores", {"rounds": len(self.rounds)}, read, label)


def _refuse(how: str, cell: Asked) -> None:
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
