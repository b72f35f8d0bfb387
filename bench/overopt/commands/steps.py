"""Progress of work in a few steps: a bar on a terminal, else one line for each step."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn


class Steps:
    """Shows how many of how many parts of the present step are done."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._step = ""
        self._task = self._progress.add_task("starting", total=None)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def tell(self, what: str, done: int, of: int) -> None:
        """Show that so many parts of a step are done."""
        if what != self._step and not self._console.is_terminal:
            self._console.print(f"{what} ({of})", markup=False, highlight=False)
        self._step = what
        self._progress.update(self._task, description=what, completed=done, total=of)
