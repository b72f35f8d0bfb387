"""Tables that were not stored, as those that were: their columns, without a row."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd


def empty_table(columns: Iterable[str]) -> pd.DataFrame:
    """A table of these columns without rows."""
    return pd.DataFrame({name: pd.Series(dtype=object) for name in columns})
