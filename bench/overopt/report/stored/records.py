"""Rows of a table as dictionaries."""

from __future__ import annotations

from typing import Any

import pandas as pd


def records_of(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a table as ``to_dict("records")`` has them, column by column, which is faster."""
    columns = [table[name].tolist() for name in table.columns]
    return [dict(zip(table.columns, row, strict=True)) for row in zip(*columns, strict=True)]
