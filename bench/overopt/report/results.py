"""Several runs read together: each cell's rows once, the best of what was stored.

A cell that failed in one run and succeeded in another has succeeded, and a budget that one run
reached is reached. Two runs that measured the same budget of a cell must agree to the last digit.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from overopt.errors import UserError
from overopt.report.files import empty_table
from overopt.report.points import add_labels
from overopt.report.run_folder import Run, find_runs, read_run
from overopt.report.schema import CELL
from overopt.schema import POINT_COLUMNS, STATUSES

_PLACE = (*CELL, "kl_target_nats")
"""A cell and one of its budgets; no budget: the initial policy, or the cell as a whole."""
_SOURCE = "source"
"""Number of the run that a row is of, while rows are merged: names repeat in other folders."""


@dataclass(frozen=True)
class Results:
    """Several runs read together.

    points: all rows, with the columns ``run``, ``method_label`` and ``proxy_label`` added; the
    labels name the engine, the axis, the width or the data size only where these differ.
    """

    runs: tuple[Run, ...]
    points: pd.DataFrame

    @property
    def tasks(self) -> list[str]:
        """Names of the tasks, sorted."""
        return sorted(set(self.points["task"]))

    def front(self, task: str) -> pd.DataFrame:
        """The oracle front of a task: columns kl_nats, gold, ess; empty when none was stored.

        All runs of a task share its world and so its front; where several were stored, the one
        with the most points is used.
        """
        fronts = [run.front for run in self.runs if task in set(run.points["task"])]
        return max(fronts, key=len) if fronts else empty_table(("kl_nats", "gold", "ess"))


def read_results(run_dirs: Iterable[Path]) -> Results:
    """Read run folders, or every run below parent folders, and merge their points.

    Raises:
        UserError: when no run is found, a file is damaged, or two runs disagree about one cell.
    """
    runs = tuple(read_run(folder) for folder in find_runs(run_dirs))
    frames = [run.points.assign(run=run.name, **{_SOURCE: i}) for i, run in enumerate(runs)]
    stored = pd.concat(frames, ignore_index=True)
    points = stored[~_outdone(stored)]
    _refuse_conflicts(points)
    points = points.drop_duplicates(subset=list(POINT_COLUMNS), ignore_index=True)
    return Results(runs=runs, points=add_labels(points.drop(columns=_SOURCE)))


def _outdone(stored: pd.DataFrame) -> NDArray[np.bool_]:
    """Rows that only say that something is missing, where another row holds it.

    A budget out of reach is outdone by the same budget measured; a failure by any other status of
    its budget, or of its cell where the cell failed as a whole.
    """
    rank = stored["status"].map({status: i for i, status in enumerate(STATUSES)})
    ranked = stored[list(_PLACE)].assign(rank=rank)
    best_there = ranked.groupby(list(_PLACE), dropna=False)["rank"].transform("min")
    best_of_cell = ranked.groupby(list(CELL), dropna=False)["rank"].transform("min")
    failed_whole = (stored["status"] == "failed") & stored["kl_target_nats"].isna()
    outdone = (rank > best_there) | (failed_whole & (rank > best_of_cell))
    return outdone.to_numpy(np.bool_)


def _refuse_conflicts(points: pd.DataFrame) -> None:
    """Refuse two runs that store the same budget of a cell with different rows."""
    sources = points.groupby(list(_PLACE), dropna=False)[_SOURCE].transform("nunique")
    for _, rows in points[sources > 1].groupby(list(_PLACE), dropna=False):
        of_runs = [group for _, group in rows.groupby(_SOURCE)]
        values = [group[list(POINT_COLUMNS)].reset_index(drop=True) for group in of_runs]
        for group, other in zip(of_runs[1:], values[1:], strict=True):
            if not values[0].equals(other):
                names = list(dict.fromkeys((of_runs[0]["run"].iloc[0], group["run"].iloc[0])))
                who = (
                    f"{names[0]} and {names[1]}" if len(names) > 1 else f"Two copies of {names[0]}"
                )
                raise UserError(
                    f"{who} both hold {_describe(group.iloc[0].to_dict())} with different "
                    "points; report them one at a time, or give only the run that should count."
                )


def _describe(row: Mapping[Hashable, Any]) -> str:
    """The cell of a row in words, and which of its points."""
    named = [f"{name} {_show(row[name])}" for name in CELL if _is_given(row[name])]
    budget_nats = row["kl_target_nats"]
    which = "its start" if pd.isna(budget_nats) else f"its budget of {budget_nats:g} nats"
    return f"the cell ({', '.join(named)}) and {which}"


def _is_given(value: object) -> bool:
    return value != "" and not (isinstance(value, float) and math.isnan(value))


def _show(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
