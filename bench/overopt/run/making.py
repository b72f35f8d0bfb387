"""What the parts of a cell's graph make their nodes with."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

from overopt.execution.node import Node


class Stream(NamedTuple):
    """What a cell's random draws start from, and what tells people where it stands."""

    seed: int
    place: str


class Make(Protocol):
    """Makes a node of the cell's world."""

    def __call__(
        self,
        stage: str,
        params: dict[str, Any],
        inputs: dict[str, Node],
        label: str,
        code: tuple[str, ...] = (),
    ) -> Node:
        """The node of a stage; ``code`` is what the stage loads by name."""
        ...


class Around(Protocol):
    """What every part of a cell's graph is made from."""

    @property
    def initial(self) -> Node:
        """The initial policy."""
        ...

    @property
    def gold(self) -> Node:
        """The gold."""
        ...

    @property
    def pool(self) -> Node:
        """Responses of the initial policy to held-out prompts, with their gold, which scale it."""
        ...

    @property
    def gold_code(self) -> tuple[str, ...]:
        """What has to be loaded by name to read the gold."""
        ...


class Making(Around, Protocol):
    """The graph itself, which makes nodes of the cell's world."""

    @property
    def make(self) -> Make:
        """Makes them."""
        ...


class Refitting(NamedTuple):
    """What a run needs besides where its proxies are trained again on the way.

    params, inputs: of its node. code: what its stage loads by name.
    """

    params: dict[str, Any]
    inputs: dict[str, Node]
    code: tuple[str, ...]


NO_REFITTING = Refitting({}, {}, ())
