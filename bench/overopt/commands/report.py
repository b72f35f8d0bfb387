"""``bench report``: figures, tables and the page of stored runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from overopt.commands.printing import open_console, print_text

if TYPE_CHECKING:
    from overopt.report.stored.selection import Selection


def report(
    run_dirs: list[Path], out: Path, selection: Selection, figures: Sequence[str], workers: int
) -> int:
    """Write figures, tables and the page, with progress on standard error.

    Returns:
        The exit code; the last line printed says which page to open.
    """

    from overopt.commands.steps import Steps
    from overopt.report.drawing import check_figures
    from overopt.report.writing import Request, write_report

    request = Request(selection, check_figures(figures), workers)
    with Steps(open_console(stderr=True)) as steps:
        written = write_report(run_dirs, out, request, steps.tell)
    page, *others = written
    for path in others:
        print_text(str(path))
    print_text(f"Open {page}")
    return 0
