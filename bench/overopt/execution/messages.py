"""What executors tell the scheduler: small frozen records that cross process boundaries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Message:
    """What happened to the stage of ``key``."""

    key: str


@dataclass(frozen=True)
class Advanced(Message):
    """A running stage reports the fraction done (0 to 1) and a few words."""

    fraction: float
    text: str


@dataclass(frozen=True)
class Built(Message):
    """The artifact is in the store; ``reused`` says that somebody else had built it meanwhile."""

    wall_s: float
    peak_memory_bytes: int
    reused: bool


@dataclass(frozen=True)
class Raised(Message):
    """The stage raised an error of its own: trying again would raise it again."""

    reason: str
    traceback: str


@dataclass(frozen=True)
class Lost(Message):
    """The worker died or ran out of time: another try may succeed."""

    kind: Literal["died", "timeout"]
    reason: str


@dataclass(frozen=True)
class Busy(Message):
    """Another driver is building this artifact now."""


@dataclass(frozen=True)
class InputMissing(Message):
    """An input was damaged or removed since the stage was submitted."""

    input_key: str


@dataclass(frozen=True)
class Refused(Message):
    """The store's disk refuses to go on, for a reason that the user can mend."""

    sentence: str
