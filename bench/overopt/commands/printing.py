"""What commands print: for people, texts as they are; for programs, one JSON object.

Names, messages and paths come from anywhere. Nothing that is printed is read as markup, in lines or
in tables; what is to be colored says so beside its text.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from overopt.errors import harmless, one_line

FORMAT = 1
"""Goes up when a key changes its meaning or goes; keys may be added."""


def print_json(kind: str, value: Mapping[str, Any]) -> None:
    """Print an object with the keys ``format`` and ``kind`` first; a missing value is null.

    Raises:
        ValueError: a number is NaN or infinite.
    """
    text = json.dumps({"format": FORMAT, "kind": kind, **value}, indent=1, allow_nan=False)
    sys.stdout.write(f"{text}\n")


def print_text(text: str) -> None:
    """Lines on standard output, as they are but for what would steer a terminal."""
    sys.stdout.write(f"{harmless(text)}\n")


class _Terminal(Console):
    """Prints its own colors, and of all texts nothing that steers a terminal."""

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """What is printed in the end, whatever it was made from."""
        for one in super().render(renderable, options):
            yield one if one.control else one._replace(text=harmless(one.text))


def open_console(*, stderr: bool = False) -> Console:
    """The terminal, or what takes its place; brackets in a text are brackets."""
    return _Terminal(stderr=stderr, markup=False, highlight=False)


def print_colored(console: Console, color: str, head: str, rest: str) -> None:
    """One line whose beginning is colored; what is from outside stays on it."""
    console.print(Text.assemble((one_line(head), color), one_line(rest)), soft_wrap=True)
