"""What comes of nodes and routines, and what a run tells whoever watches it."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Literal, TypeVar

from overopt.execution.node import Node

T = TypeVar("T")

FailureKind = Literal["raised", "died", "timeout", "upstream"]


@dataclass(frozen=True)
class Failure:
    """Why a stage has no artifact.

    Attributes:
        key: the stage's key.
        stage: its full name.
        title: its label.
        kind: ``raised`` an error, worker ``died``, ``timeout``, or ``upstream``: an input failed.
        message: one sentence.
        traceback: of the stage's own error, else empty.
        cause_key: the stage that failed first; its own key unless the kind is ``upstream``.
    """

    key: str
    stage: str
    title: str
    kind: FailureKind
    message: str
    traceback: str
    cause_key: str


@dataclass(frozen=True)
class Outcome:
    """A settled node: the folder of its artifact, or why there is none."""

    path: Path | None
    failure: Failure | None


Routine = Generator[Sequence[Node], Mapping[str, Outcome], T]
"""What a run drives: it yields nodes, is sent their outcomes by key, and returns its value."""


@dataclass(frozen=True)
class RoutineResult(Generic[T]):
    """What a routine returned, or the error that ended it (with its traceback)."""

    value: T | None
    error: str | None


@dataclass(frozen=True)
class Tally:
    """How many nodes this run has met, by state; ``cached`` are finished ones of earlier runs."""

    cached: int
    built: int
    failed: int
    running: int
    waiting: int


NoticeKind = Literal[
    "cached", "started", "advanced", "built", "elsewhere", "retried", "failed", "skipped"
]
"""``elsewhere``: another driver builds it; ``retried``: its worker was lost; ``skipped``: an input
failed. The others are what they say."""


@dataclass(frozen=True)
class Notice:
    """Something worth showing.

    Attributes:
        kind: what happened to the node.
        node: the node.
        tally: counts after it happened.
        text: the reason or the stage's own words.
        fraction: of a running stage, 0 to 1.
        wall_s: of a built stage.
        left_s: work of the nodes that are known and not settled, seconds on one worker.
    """

    kind: NoticeKind
    node: Node
    tally: Tally
    text: str = ""
    fraction: float = 0.0
    wall_s: float = 0.0
    left_s: float = 0.0
