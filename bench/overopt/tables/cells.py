"""Cells of somebody else's table: what counts as a number and what as missing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from overopt.stats.arrays import Floats

MISSING_WORDS = {"", "nan", "na", "n/a", "null", "none"}


def _is_missing(value: object) -> bool:
    if value is None or value is pd.NA:
        return True
    if isinstance(value, str):
        return value.strip().lower() in MISSING_WORDS
    return isinstance(value, float) and np.isnan(value)


def count_nan(column: pd.Series[Any]) -> int:
    """Cells that say NaN instead of nothing; none of a column that cannot tell the two apart."""
    if pd.api.types.is_numeric_dtype(column):
        return 0
    return sum(
        value.strip().lower() == "nan"
        if isinstance(value, str)
        else isinstance(value, float) and np.isnan(value)
        for value in column.to_numpy(dtype=object)
    )


def parse_column(column: pd.Series[Any]) -> Floats:
    """Numbers with NaN for missing values; an exception if a value is neither."""
    if pd.api.types.is_numeric_dtype(column):
        return column.to_numpy(np.float64, na_value=np.nan)
    return np.array([parse_cell(value) for value in column.to_numpy(dtype=object)], np.float64)


def parse_cell(value: Any) -> float:
    """One number, NaN where missing; an exception if it is neither."""
    if _is_missing(value):
        return float("nan")
    if isinstance(value, str) and "_" in value:  # Python would read 1_000 as a number
        raise ValueError(value)
    return float(value)


def is_number(value: object) -> bool:
    """Whether a cell is a number or missing."""
    try:
        parse_cell(value)
    except (ValueError, TypeError, OverflowError):
        return False
    return True
