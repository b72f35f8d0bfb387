"""The folder that ``bench measure --out`` fills: curve, fits and figure, all of them or none."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from overopt.own_runs.earlier import is_earlier, refuse_run, remove_earlier
from overopt.own_runs.figure import draw_runs
from overopt.own_runs.measured import MeasuredRuns
from overopt.own_runs.output import write_text
from overopt.own_scores.staging import staging_folder
from overopt.report.figures.style import save_figure


def write_folder(
    out: Path, measured: MeasuredRuns, run_files: Mapping[str, str | bytes] | None = None
) -> tuple[Path, ...]:
    """Write curve.csv, fits.json, the figure and the files of a run folder; returns their paths.

    What an earlier measurement left there and this one does not write is removed.

    Raises:
        UserError: if the folder cannot be written, or holds a run that was not measured here.
    """
    refuse_run(out)
    earlier = is_earlier(out)
    with staging_folder(out) as staged:
        drawing = draw_runs(measured)
        files = write_text(staged, measured, run_files or {}) + save_figure(
            drawing.figure, staged / drawing.name
        )
    if earlier:
        remove_earlier(out, [file.name for file in files])
    return tuple(out / file.name for file in files)
