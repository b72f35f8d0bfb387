"""The command as the user typed it, for provenance."""

from __future__ import annotations

WORDS: list[str] = []
"""The words after the command's name; ``__main__`` fills them in."""


def typed() -> list[str]:
    """The whole command."""
    return ["bench", *WORDS]
