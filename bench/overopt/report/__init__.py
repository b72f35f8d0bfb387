"""Tables, figures and the HTML page; reads stored results only, imports neither torch nor methods.

``import overopt.report`` is light: matplotlib and pandas are loaded when a report is written.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table

    from overopt.report.stored.results import Results


def write_report(run_dirs: list[Path], out: Path) -> list[Path]:
    """Write figures, tables and the page of one or more runs into a folder.

    The output is a pure function of the stored results: the same input gives the same bytes.

    Args:
        run_dirs: run folders (with ``run.json`` and ``points.csv``) or folders above them.
        out: folder to write into; created when missing, files of the same name are replaced.

    Returns:
        The files written, the page first.

    Raises:
        UserError: when a folder holds no run, or a stored result is incomplete or damaged.
    """
    from overopt.report.writing import write_report as write

    return write(run_dirs, out)


def run_table(results: Results) -> Table:
    """The table that ends ``bench run``: one row per task, method, proxy and noise.

    Args:
        results: what was just written, as ``overopt.report.stored.results.read_results`` reads it.

    Returns:
        A rich table: gold at the peak and at the end with budget and achieved KL, the proxy at
        the end, verdicts, unreached budgets and failed cells.
    """
    from overopt.report.tables.terminal import run_table as make

    return make(results)
