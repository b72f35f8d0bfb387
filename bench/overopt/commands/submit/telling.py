"""What ``bench submit`` says while it works."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from overopt.commands.printing import open_console
from overopt.errors import one_line


@contextmanager
def tell_progress(quiet: bool) -> Iterator[Callable[[str], None]]:
    """What takes a line on what is being done, and shows the latest one."""
    console = open_console(stderr=True)
    if quiet or not console.is_terminal:
        yield lambda words: None
        return
    with console.status("reading", spinner="line") as status:
        yield lambda words: status.update(one_line(words, console.width - 4))
