"""Reads what was measured on single samples beside their scores."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from overopt.artifacts.scores import identifiers
from overopt.artifacts.tables import Table


def watched_column(path: Path, name: str, samples: Table) -> npt.NDArray[np.float64]:
    """A column (N,) of a table whose rows are those of ``samples``, in their order.

    Raises:
        ValueError: they are rows of other samples.
    """
    table = Table(path)
    for key, ours_N in identifiers(samples).items():
        if key not in table.columns or not np.array_equal(table.integers(key), ours_N):
            raise ValueError(f"{path.parent.name}: {path.name} belongs to other samples")
    return table.floats(name)
