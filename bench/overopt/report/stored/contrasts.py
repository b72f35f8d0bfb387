"""Stored peaks, ends and means: ``contrasts.csv`` and ``budgets.csv``, read and put in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas as pd

from overopt.report.stored.empty import empty_table
from overopt.report.stored.files import names_of, numbers_of, read_optional_table, refuse
from overopt.spec.columns import (
    BUDGET_COLUMNS,
    CONTRAST_COLUMNS,
    CONTRAST_FLAGS,
    CONTRAST_TEXT,
    WORLD_COLUMNS,
)
from overopt.stats.crossed import Over

_OF_AN_END = ("peak_choices", "peak_choices_agreeing", "peak_kl_nats", "end_kl_nats")


def read_contrasts(path: Path, known: Mapping[str, str]) -> pd.DataFrame:
    """Peaks and ends: names as text, verdicts as bool, numbers as float64.

    Args:
        path: the file; without one the table is empty.
        known: what the run's record says that rows of earlier versions do not.

    Raises:
        UserError: a column is missing, a cell has no sense, or a verdict contradicts its interval.
    """
    table = _typed(path, CONTRAST_COLUMNS, known)
    for flag, told in (("rises", table["peak_gold_low"] > 0), ("falls", table["fall_high"] < 0)):
        stored = table[flag].to_numpy(np.bool_)
        for index in np.flatnonzero(stored != told.to_numpy(np.bool_)):
            refuse(
                str(path),
                int(index),
                f"has {flag} = {stored[index]}",
                "its interval says otherwise",
            )
    has_end = table["end_gold"].notna()
    for name in _OF_AN_END:
        for index in np.flatnonzero((table[name].isna() & has_end).to_numpy(np.bool_)):
            refuse(str(path), int(index), f"has no {name}", "a row with gold at the end has one")
    return table


def read_budgets(path: Path, known: Mapping[str, str]) -> pd.DataFrame:
    """Means along the budgets: names as text, numbers as float64; ``known`` as for the peaks.

    Raises:
        UserError: a column is missing, or a cell has no sense.
    """
    return _typed(path, BUDGET_COLUMNS, known)


def read_worlds(path: Path) -> pd.DataFrame:
    """Means over worlds: names as text, verdicts as bool, numbers as float64.

    Raises:
        UserError: a column is missing, or a cell has no sense.
    """
    return _typed(path, WORLD_COLUMNS, {}, ("worlds", "these worlds"))


def _typed(
    path: Path,
    columns: Sequence[str],
    known: Mapping[str, str],
    over: Sequence[str] = get_args(Over),
) -> pd.DataFrame:
    if not path.is_file():
        return empty_table(tuple(columns))
    table = read_optional_table(path, tuple(columns), known)
    typed: dict[str, Any] = {}
    for name in columns:
        texts = [str(text) for text in table[name]]
        if name in CONTRAST_TEXT:
            typed[name] = names_of(texts, name, str(path))
        elif name in CONTRAST_FLAGS:
            _check(texts, ("True", "False"), name, path)
            typed[name] = [text == "True" for text in texts]
        else:
            typed[name] = numbers_of(texts, name, str(path))
    _check(typed["over"], over, "over", path)
    for name in sorted({"seeds", "prompts"} & set(columns)):
        for row in np.flatnonzero(np.isnan(typed[name])):
            refuse(str(path), int(row), f"has no {name}", "every mean says how many it is of")
    return pd.DataFrame(typed, columns=list(columns))


def _check(texts: Sequence[str], allowed: Sequence[str], name: str, path: Path) -> None:
    for row, text in enumerate(texts):
        if text not in allowed:
            refuse(
                str(path), row, f"has {name} = {text[:40]!r}", f"allowed are {', '.join(allowed)}"
            )
