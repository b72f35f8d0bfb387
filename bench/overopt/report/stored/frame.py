"""Stored results as one tidy table, for people who work in Python."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path

import pandas as pd

from overopt.report.stored.reading import read_results
from overopt.report.stored.schema import LEVELS
from overopt.spec.columns import POINT_COLUMNS

Places = str | PathLike[str] | Sequence[str | PathLike[str]]
"""One folder, or several."""

FRAME_COLUMNS: tuple[str, ...] = ("run", "version", *LEVELS, *POINT_COLUMNS)
"""What ``load_results`` returns: where a row is from, the levels of its run's axes, then the
columns of ``points.csv``."""

_ALWAYS_THERE = ("world", "seed")


def load_results(folder: Places) -> pd.DataFrame:
    """Points of stored runs, one row per world, seed, proxy, noise and place along KL.

    Rows that several runs share come once, and a row that only says that something is missing is
    left out where another run holds it, exactly as in ``bench report``.

    Args:
        folder: a run folder, a folder above some, or a list of either.

    Returns:
        ``FRAME_COLUMNS``: ``run`` (``task/method/run_id``), ``version`` (tells runs apart that
        hold the same cells with other digits; else empty), ``task_level``, ``method_level`` and
        ``proxy_level`` (levels of axes, such as ``uwo.members=3``; else empty), then the columns
        of ``points.csv``.
        Names are str, ``world`` and ``seed`` int, all other numbers float with NaN for a missing
        value. ``status`` is ``ok``, ``unreached`` (a KL budget out of reach) or ``failed``; only
        rows that are ``ok`` are measured.

    Raises:
        UserError: there is no run, or a file is damaged.
    """
    points = read_results(paths_of(folder)).points
    return points[list(FRAME_COLUMNS)].astype(dict.fromkeys(_ALWAYS_THERE, "int64"))


def paths_of(places: Places) -> list[Path]:
    """One folder or several, as paths."""
    several = [places] if isinstance(places, str | PathLike) else list(places)
    return [Path(one) for one in several]
