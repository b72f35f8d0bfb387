"""Gold by prompt of single seeds, found in whichever run stored it with the very same points."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from overopt.errors import UserError
from overopt.report.group import SeedCurve
from overopt.report.stored.prompts import read_prompts
from overopt.report.stored.results import Results
from overopt.report.stored.schema import CELL
from overopt.stats.arrays import Floats, Ints

CellKey = tuple[Any, ...]

_SAME = 1e-5
"""Gold by prompt is stored with 32 bits, and is in SDs of the initial policy."""


class PromptGold:
    """Reads each run's table of prompts once, when it is first asked for."""

    def __init__(self, results: Results) -> None:
        self._runs = results.runs
        self._rows: list[dict[CellKey, Ints]] | None = None
        self._measured = [
            (run.points["kl_nats"].to_numpy(), run.points["gold_mean"].to_numpy())
            for run in results.runs
        ]
        self._tables: dict[int, dict[int, Floats] | None] = {}

    def gain_KB(self, cell: CellKey, curve: SeedCurve) -> Floats | None:
        """Gold above the initial policy of a seed's points, by prompt.

        Args:
            cell: the seed's row of the columns ``CELL``, as `cell_key` makes it.
            curve: its points.

        Returns:
            Shape (K, B), in the order of the curve; None where no run stored it.

        Raises:
            UserError: a table is damaged, or its means are not those of the points beside it.
        """
        if self._rows is None:
            self._rows = [_rows_of(run.points) for run in self._runs]
        for number, rows in enumerate(self._rows):
            if cell in rows:
                found = self._from_run(number, rows[cell], curve)
                if found is not None:
                    return found
        return None

    def _from_run(self, number: int, row_N: Ints, curve: SeedCurve) -> Floats | None:
        run = self._runs[number]
        kl_N, gold_N = self._measured[number]
        row_K = row_N[kl_N[row_N] >= 0.0]  # what was not measured has none
        row_K = row_K[np.argsort(kl_N[row_K], kind="stable")]
        if not (
            np.array_equal(kl_N[row_K], curve.kl_nats_K)
            and np.array_equal(gold_N[row_K], curve.gold_K)
            and curve.kl_nats_K[0] == 0.0
        ):
            return None
        if number not in self._tables:
            self._tables[number] = read_prompts(run.folder, run.points)
        table = self._tables[number]
        if table is None:
            return None
        gold = [table[int(run.points.index[row])] for row in row_K]
        if len({one.size for one in gold}) > 1:
            return None
        gain_KB = np.stack(gold) - gold[0]
        if np.abs(gain_KB.mean(axis=1) - curve.gold_K).max() > _SAME * (1 + np.abs(gain_KB).max()):
            raise UserError(
                f"{run.folder}: the means of prompts.parquet are not the gold of points.csv; "
                "restore the run folder, or remove prompts.parquet to compare seed by seed."
            )
        return np.asarray(gain_KB, np.float64)


def cell_key(values: tuple[Any, ...]) -> CellKey:
    """A row of the columns ``CELL``; what is missing equals what is missing."""
    return tuple(None if value is pd.NA or value != value else value for value in values)


def _rows_of(points: pd.DataFrame) -> dict[CellKey, Ints]:
    found: dict[CellKey, list[int]] = {}
    rows = points[list(CELL)].itertuples(index=False, name=None)
    for number, values in enumerate(rows):
        found.setdefault(cell_key(values), []).append(number)
    return {key: np.array(rows, np.int64) for key, rows in found.items()}
