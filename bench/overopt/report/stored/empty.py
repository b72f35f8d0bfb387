"""Tables that were not stored, as those that were: their columns, without a row."""

from __future__ import annotations

from functools import lru_cache

import pandas as pd


@lru_cache
def empty_table(columns: tuple[str, ...]) -> pd.DataFrame:
    """A table of these columns without rows, one for all who ask: it is not to be changed."""
    return pd.DataFrame({name: pd.Series(dtype=object) for name in columns})
