"""What a person sees while a run works: one bar for the whole, a line for every busy worker."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

from overopt.execution.outcomes import Notice


class Screen:
    """Rich progress on a terminal; where there is none, a line for every tenth of the work."""

    def __init__(self, console: Console, quiet: bool) -> None:
        self._console = console
        self._quiet = quiet
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=quiet or not console.is_terminal,
        )
        self._whole = self._progress.add_task("stages", total=None)
        self._busy: dict[str, TaskID] = {}
        self._told = 0

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

    def __call__(self, notice: Notice) -> None:
        """Show one notice of the scheduler."""
        key, tally = notice.node.key, notice.tally
        done = tally.cached + tally.built + tally.failed
        total = done + tally.running + tally.waiting
        self._progress.update(self._whole, completed=done, total=total)
        if notice.kind == "started":
            self._busy[key] = self._progress.add_task(f"  {notice.node.title}", total=100)
        elif notice.kind == "advanced" and key in self._busy:
            self._progress.update(self._busy[key], completed=round(100 * notice.fraction))
        elif key in self._busy:
            self._progress.remove_task(self._busy.pop(key))
        if self._quiet:
            return
        if notice.kind in ("retried", "failed"):
            self._console.print(f"[yellow]{notice.kind}[/]: {notice.node.title}: {notice.text}")
        elif not self._console.is_terminal and notice.kind == "built":
            tenth = 10 * done // max(total, 1)
            if tenth > self._told:
                self._told = tenth
                self._console.print(f"{done} of {total} stages done")
