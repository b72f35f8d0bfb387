"""``contrasts.csv`` of earlier versions, in today's columns: what follows from it, and no more.

Earlier versions stored an interval over seeds and one over prompts, and no gold at the end. Both
standard errors follow from their bounds, and SE^2 = SE_seeds^2 + SE_prompts^2 is at least the
crossed one, which takes the residual off that both contain. What the files do not say is left
missing; readers fill it from ``points.csv``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from overopt.report.stored.files import numbers_of, read_optional_table, read_table
from overopt.report.stored.intervals import LEVEL
from overopt.spec.columns import CONTRAST_COLUMNS
from overopt.stats.crossed import Crossed, around, combine_df
from overopt.stats.students_t import t_half_width

Floats = NDArray[np.float64]

MARK = "last_kl_target_nats"
"""A column that only earlier versions have."""

_NAMES = ("proxy", "noise", "proxy_start")
_COUNTS = ("world", "proxy_width", "comparisons", "seeds", "prompts")


def is_older(path: Path) -> bool:
    """Whether an earlier version wrote the file."""
    return path.is_file() and MARK in read_table(path).columns


def required() -> tuple[str, ...]:
    """Columns of the earlier file that are read."""
    bounds = (
        f"{name}_{over}_{side}"
        for name in ("rise", "fall")
        for over in ("seeds", "prompts")
        for side in ("low", "high")
    )
    return (*_NAMES, *_COUNTS, "peak_kl_target_nats", MARK, "rise_mean", "fall_mean", *bounds)


def renew(path: Path, known: Mapping[str, str]) -> pd.DataFrame:
    """The earlier table in today's columns, as text for names and numbers for all else.

    Args:
        path: the file.
        known: what the run's record says that rows of earlier versions do not.

    Raises:
        UserError: a column is missing, or a cell is not a number.
    """
    table, where = read_optional_table(path, required(), known), str(path)
    numbers = {
        name: numbers_of([str(text) for text in table[name]], name, where)
        for name in required()
        if name not in _NAMES
    }
    rows = []
    for row in range(len(table)):
        old = {name: float(values[row]) for name, values in numbers.items()}
        rise, fall = _crossed(old, "rise"), _crossed(old, "fall")
        compared = any(old[name] != 0.0 for name in old if name.startswith("fall_"))
        new: dict[str, object] = {name: str(table[name].iloc[row]) for name in _NAMES}
        new |= {name: old[name] for name in _COUNTS}
        new |= {
            "peak_kl_target_nats": old["peak_kl_target_nats"],
            "end_kl_target_nats": old[MARK],
            **_columns("peak_gold", rise),
            "over": rise.over,
            "rises": rise.above_zero,
            "falls": compared and fall.below_zero,
            "exploratory": rise.exploratory,
        }
        rows.append(new | (_columns("fall", fall) if compared else {}))
    return pd.DataFrame(rows, columns=list(CONTRAST_COLUMNS))


def _crossed(old: dict[str, float], name: str) -> Crossed:
    """The interval over seeds and prompts that two one-way intervals allow."""
    shape = (int(old["seeds"]), int(old["prompts"]))
    # with one seed the peak was chosen on one half of the prompts and tested on the other
    n_tested = shape[1] if shape[0] > 1 else shape[1] // 2
    parts = []
    for over, n in (("seeds", shape[0]), ("prompts", n_tested)):
        low, high = old[f"{name}_{over}_low"], old[f"{name}_{over}_high"]
        if not math.isnan(low):
            se = 0.5 * (high - low) / t_half_width(1.0, n - 1, LEVEL)
            parts.append((se**2, n - 1))
    se = math.sqrt(sum(variance for variance, _ in parts))
    found = around(old[f"{name}_mean"], se, combine_df(parts), shape, LEVEL)
    return found if shape[0] == 1 else found._replace(over="seeds and prompts, at most")


def _columns(name: str, interval: Crossed) -> dict[str, float | None]:
    return {
        name: interval.mean,
        f"{name}_se": interval.se,
        f"{name}_df": interval.df,
        f"{name}_low": interval.low,
        f"{name}_high": interval.high,
    }
