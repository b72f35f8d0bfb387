"""Files of ``bench monitor``: CSV, JSON and the figure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from overopt.errors import UserError
from overopt.report.figures.style import Drawing, save_figure
from overopt.report.tables.text import write_csv


def write_scores(
    out: Path, rows: Sequence[Mapping[str, Any]], note: str, drawing: Drawing
) -> list[Path]:
    """Write ``monitors.csv``, ``monitors.json``, ``monitors.png`` and ``monitors.pdf``.

    Raises:
        UserError: the folder cannot be written.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        table = write_csv(pd.DataFrame(rows), out / "monitors.csv")
        data = out / "monitors.json"
        text = json.dumps({"note": note, "rows": rows}, indent=1, allow_nan=False)
        data.write_text(f"{text}\n", encoding="utf-8")
        return [table, data, *save_figure(drawing.figure, out / drawing.name)]
    except OSError as error:
        raise UserError(
            f"--out {out}: it cannot be written ({error.strerror}); give another folder."
        ) from error
