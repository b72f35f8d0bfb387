"""Files of ``bench monitor``: CSV, JSON and the figure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from overopt.errors import UserError
from overopt.report.figures.style import save_figure
from overopt.report.monitoring.figure import draw_monitors
from overopt.report.monitoring.scoring import GroupScores
from overopt.report.monitoring.sheet import NOTE, frame_of, rows_of
from overopt.report.tables.text import write_csv


def write_scores(out: Path, groups: Sequence[GroupScores]) -> list[Path]:
    """Write ``monitors.csv``, ``monitors.json``, ``monitors.png`` and ``monitors.pdf``.

    Raises:
        UserError: the folder cannot be written.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        table = write_csv(frame_of(groups), out / "monitors.csv")
        record = {"note": NOTE, "rows": rows_of(groups)}
        data = out / "monitors.json"
        data.write_text(json.dumps(record, indent=1, allow_nan=False) + "\n", encoding="utf-8")
        return [table, data, *save_figure(draw_monitors(groups).figure, out / "monitors")]
    except OSError as error:
        raise UserError(
            f"--out {out}: it cannot be written ({error.strerror}); give another folder."
        ) from error
