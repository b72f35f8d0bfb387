"""``bench report``: figures, tables and the page of stored runs."""

from __future__ import annotations

import sys
from pathlib import Path


def report(run_dirs: list[Path], out: Path) -> int:
    """Write figures, tables and the page."""
    from overopt.report.writing import write_report

    written = write_report(run_dirs, out)
    sys.stdout.write("".join(f"{path}\n" for path in written))
    return 0
