"""Values of a log: finite numbers or nothing, one per step and column."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from overopt.errors import UserError
from overopt.own_runs.log_rows import Row
from overopt.spec.documents import LARGEST_NUMBER
from overopt.stats.arrays import Floats

LARGEST_STEP = 2**53


class Number(NamedTuple):
    """Reads one cell, and says where it stands if it is wrong."""

    file: Path
    column: str
    step: int | None

    def read(self, value: object) -> float | None:
        """The number, or None where the cell is empty.

        Raises:
            UserError: if it is neither.
        """
        if value is None or (isinstance(value, str) and not value.strip()):
            return None
        number = math.nan
        if isinstance(value, str) and "_" not in value:
            try:
                number = float(value)
            except ValueError:
                raise self._refuse(value, "is no number") from None
        elif isinstance(value, int | float) and not isinstance(value, bool):
            try:
                number = float(value)
            except OverflowError:
                raise self._refuse(value, "is too large") from None
        else:
            raise self._refuse(value, "is no number")
        if not math.isfinite(number):
            raise self._refuse(value, "is not finite, which a diverged run logs")
        if abs(number) > LARGEST_NUMBER:
            raise self._refuse(value, f"is beyond {LARGEST_NUMBER:g}, which a diverged run logs")
        return number

    def _refuse(self, value: object, fault: str) -> UserError:
        text = repr(value)
        shown = text if len(text) <= 60 else f"{text[:59]}…"
        where = "" if self.step is None else f" at step {self.step}"
        return UserError(
            f"{self.file}: column {self.column!r} holds {shown}{where}, which {fault}; allowed are "
            "finite numbers, or nothing where a step was not measured"
        )


class Numbers:
    """The chosen columns of a log, step by step.

    Args:
        file: the log.
        rows: its rows; several may speak of one step, as a trainer's do that logs training and
            evaluation apart, but not of one step and column.
        step: column of the step.
        columns: the chosen columns.

    Raises:
        UserError: if a value is no finite number, a step is no whole number from 0, or a step has
            two values in one column.
    """

    def __init__(self, file: Path, rows: Sequence[Row], step: str, columns: Sequence[str]) -> None:
        self._of: dict[int, dict[str, float]] = {}
        for row in rows:
            if not any(row.get(name) not in (None, "") for name in columns):
                continue
            at = _whole(file, step, row.get(step))
            values = self._of.setdefault(at, {})
            for name in dict.fromkeys(columns):
                number = Number(file, name, at).read(row.get(name))
                if number is None:
                    continue
                if name in values:
                    raise UserError(
                        f"{file}: step {at} occurs twice in column {name!r}, each step may occur "
                        "once; give several seeds as several files, and remove what a resumed run "
                        "logged again"
                    )
                values[name] = number
        self.steps = sorted(self._of)

    def of(self, step: int) -> dict[str, float]:
        """The values of a step by column."""
        return self._of[step]

    def column(self, steps: Sequence[int], name: str) -> Floats:
        """One column at some steps; NaN where a step has nothing there."""
        return np.array([self._of[step].get(name, np.nan) for step in steps], np.float64)


def _whole(file: Path, column: str, value: object) -> int:
    number = Number(file, column, None).read(value)
    if number is None or number != int(number) or not 0 <= number <= LARGEST_STEP:
        shown = "nothing" if number is None else f"{number:g}"
        raise UserError(
            f"{file}: column {column!r} holds {shown} in a row with rewards, a step is a whole "
            "number from 0; choose another column with --step"
        )
    return int(number)
