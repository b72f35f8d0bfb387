"""Conversations: who says what, in turns, and the same as one text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Turn(NamedTuple):
    """One turn of a conversation; role is ``system``, ``user`` or ``assistant``."""

    role: str
    content: str


_SPEAKER = {"user": "Human", "assistant": "Assistant", "system": "System"}
ROLES = tuple(_SPEAKER)


def flat_text(turns: Sequence[Turn]) -> str:
    """A conversation as one text: the bare content of a single turn, else speakers by name."""
    if len(turns) == 1:
        return turns[0].content
    return "\n\n".join(f"{_SPEAKER[turn.role]}: {turn.content}" for turn in turns)
