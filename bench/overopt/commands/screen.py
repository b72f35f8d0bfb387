"""What a person sees while a run works: one bar for the whole, a line for every busy worker.

Where others than this process decide when a stage begins, it has a line once it has told of itself.
Names are cut on the right where the screen is too narrow. Where there is no terminal, a line names
every stage that has finished.
"""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Column

from overopt.execution.outcomes import Notice, Tally
from overopt.report.quantities import show_duration

_MOST_LINES = 32
"""Stages that have a line of their own."""
_NOTHING = Tally(cached=0, built=0, failed=0, running=0, waiting=0)


class Screen:
    """Shows the notices of a run.

    Args:
        console: where.
        quiet: show nothing.
        workers: stages that run at once, for the time that is left; None where nobody knows.
    """

    def __init__(self, console: Console, quiet: bool, workers: int | None) -> None:
        self._console = console
        self._quiet = quiet
        self._workers = workers
        name = Column(ratio=1, no_wrap=True, overflow="ellipsis")
        words = Column(no_wrap=True, overflow="ellipsis")
        self._progress = Progress(
            TextColumn("{task.description}", markup=False, table_column=name),
            BarColumn(bar_width=10),
            TextColumn("{task.fields[words]}", markup=False, table_column=words),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            expand=True,
            disable=quiet or not console.is_terminal,
        )
        self._whole = self._progress.add_task("stages", total=None, words="")
        self._busy: dict[str, TaskID] = {}
        self._tally = _NOTHING

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

    @property
    def found_everything(self) -> bool:
        """Whether all that was asked for had been done before."""
        tally = self._tally
        return tally.cached > 0 and tally.built == tally.failed == 0

    def __call__(self, notice: Notice) -> None:
        """Show one notice of the scheduler."""
        key, title = notice.node.key, notice.node.title
        self._tally = notice.tally
        done, total = _count(notice.tally)
        left = self._tell_left(notice)
        words = f"{done} of {total}{left}"
        self._progress.update(self._whole, completed=done, total=total, words=words)
        begins = notice.kind == ("started" if self._workers is not None else "advanced")
        if begins and key not in self._busy and len(self._busy) < _MOST_LINES:
            self._busy[key] = self._progress.add_task(f"  {title}", total=100, words="")
        if notice.kind == "advanced" and key in self._busy:
            percent = round(100 * notice.fraction)
            self._progress.update(self._busy[key], completed=percent, words=notice.text)
        elif key in self._busy and notice.kind != "started":
            self._progress.remove_task(self._busy.pop(key))
        if self._quiet:
            return
        if notice.kind in ("retried", "failed"):
            self._print(f"{notice.kind}: {title}: {notice.text}", style="yellow")
        elif not self._console.is_terminal and notice.kind == "built":
            self._print(f"{done} of {total}: {title}, {show_duration(notice.wall_s)}{left}")

    def _print(self, text: str, style: str = "") -> None:
        self._console.print(text, style=style, markup=False, highlight=False, soft_wrap=True)

    def _tell_left(self, notice: Notice) -> str:
        """How long the rest takes with all workers busy; nothing where nothing is left."""
        tally = notice.tally
        if not tally.running + tally.waiting or self._workers is None:
            return ""
        return f", about {show_duration(notice.left_s / self._workers)} left"


def _count(tally: Tally) -> tuple[int, int]:
    """How many stages have ended, of how many that are known."""
    done = tally.cached + tally.built + tally.failed
    return done, done + tally.running + tally.waiting
