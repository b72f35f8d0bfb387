"""Writes what a judgment came to: page, tables and figures, all of one paper or of several."""

from __future__ import annotations

from pathlib import Path

from overopt.errors import harmless
from overopt.report.verdicts.arms import Measured
from overopt.report.verdicts.shown.drawing import draw_figures
from overopt.report.verdicts.shown.page import Judged, make_page
from overopt.report.verdicts.shown.tables import verdicts_csv, verdicts_json

PAGE = "index.html"


def write_paper(judged: Judged, measured: Measured, staged: Path) -> Judged:
    """Write one paper's files into a folder, and return it with its images.

    Args:
        judged: the paper, without images yet.
        measured: what the figures are drawn from.
        staged: the folder, empty.
    """
    captions = draw_figures(judged.figures, measured, staged)
    images = {name: (staged / f"{name}.png").read_bytes() for name in captions}
    whole = Judged(**{**vars(judged), "captions": captions, "images": images})
    (staged / PAGE).write_bytes(harmless(make_page([whole])).encode())
    (staged / "verdicts.csv").write_text(
        verdicts_csv(judged.name, judged.verdicts), encoding="utf-8"
    )
    (staged / "verdicts.json").write_text(
        verdicts_json(judged.name, judged.title, judged.url, judged.scale, judged.verdicts),
        encoding="utf-8",
    )
    return whole
