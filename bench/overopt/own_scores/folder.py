"""The folder that ``bench scores --out`` fills: curve, fits and figures, all of them or none."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from overopt.errors import UserError
from overopt.own_scores.figure import draw_scores
from overopt.own_scores.output import write_scores
from overopt.own_scores.staging import staging_folder
from overopt.report.figures.style import save_figure
from overopt.stats.scored import ProxyReport


def write_folder(out: Path, reports: Sequence[ProxyReport]) -> list[Path]:
    """Write curve.csv, fits.json and the figures; returns their paths.

    Raises:
        UserError: if the folder cannot be written, or holds a run.
    """
    if (out / "run.json").exists():
        raise UserError(
            f"--out {out}: it holds a run, which scores would be mixed with; choose another folder"
        )
    with staging_folder(out) as staged:
        files = [*write_scores(staged, reports)]
        for drawing in draw_scores(reports):
            files += save_figure(drawing.figure, staged / drawing.name)
    return [out / file.name for file in files]
