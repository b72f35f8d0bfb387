"""Tables of a run folder as text."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from typing import Any


def to_csv(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows as CSV text: shortest exact floats, empty cells for what is missing.

    Raises:
        FloatingPointError: a value is NaN or infinite.
        KeyError: a row has a column that is not listed.
    """
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        strange = set(row) - set(columns)
        if strange:
            raise KeyError(f"columns that the table does not have: {sorted(strange)}")
        writer.writerow([_cell(name, row.get(name)) for name in columns])
    return stream.getvalue()


def _cell(name: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        if not math.isfinite(value):
            raise FloatingPointError(f"{name} is {value}; a result is never NaN or infinite")
        return repr(float(value))
    return str(value)
