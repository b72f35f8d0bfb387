"""Tables beside the points: numbers as float64, every row of a run and a step."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from overopt.report.stored.empty import empty_table
from overopt.report.stored.files import names_of, numbers_of, read_optional_table, refuse

_TEXT = ("proxy", "noise", "proxy_start")
_REQUIRED = ("world", "seed", "step")
"""Of what a table has of them."""

RUN = ("world", "proxy", "noise", "proxy_start", "proxy_width", "comparisons", "seed", "member",
       "knob_value")  # fmt: skip
"""What tells training runs of ``trajectory.csv`` apart."""


def read_beside(
    path: Path, columns: tuple[str, ...], later: tuple[str, ...] = (), text: tuple[str, ...] = ()
) -> pd.DataFrame:
    """Read ``trajectory.csv`` or a table like it; empty where there is none.

    Args:
        path: of the table.
        columns: that it has.
        later: those of them that tables of earlier versions lack, where they are missing.
        text: further columns that hold names.

    Raises:
        UserError: a column is missing, a cell is no number, or a row names no run or step.
    """
    if not path.is_file():
        return empty_table(columns)
    table = read_optional_table(path, columns, dict.fromkeys(later, ""))
    for name in columns:
        texts = [str(text) for text in table[name]]
        read = names_of if name in (*_TEXT, *text) else numbers_of
        table[name] = read(texts, name, str(path))
    for name in (one for one in _REQUIRED if one in columns):
        for row in np.flatnonzero(table[name].isna().to_numpy()):
            refuse(str(path), int(row), f"has no {name}", "every row names its run and step")
    return table
