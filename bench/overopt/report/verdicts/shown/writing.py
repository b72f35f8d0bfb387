"""Writes what a judgment of a paper came to: page and tables."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from overopt.errors import harmless
from overopt.report.verdicts.shown.page import Judged, make_page
from overopt.report.verdicts.shown.tables import verdicts_csv, verdicts_json

PAGE = "index.html"


def write_paper(judged: Judged, captions: Mapping[str, str], staged: Path) -> None:
    """Write one paper's page and tables into the folder that its figures were drawn into.

    Args:
        judged: the paper, without images yet.
        captions: of the figures that were drawn, by name.
        staged: the folder.
    """
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
