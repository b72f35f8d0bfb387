"""What a reader of a stage's artifacts is given, and what it returns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from overopt.artifacts.points import Floats, Point
from overopt.artifacts.tables import Table
from overopt.leaderboard.submission.pages import Samples


class Made(NamedTuple):
    """The artifact with a cell's points, and what it was made from.

    folder, params: of the artifact. inputs: folders by role, and own files by name.
    of_inputs: folders that the artifact of a role was made from, by their roles.
    rows: number in ``points.csv`` of every point. points: as stored.
    """

    folder: Path
    params: Mapping[str, Any]
    inputs: dict[str, Path]
    of_inputs: Mapping[str, Mapping[str, Path]]
    rows: Sequence[int]
    points: Sequence[Point]

    @property
    def measured(self) -> list[tuple[int, Point]]:
        """Row and point of all that was measured; the first is the initial policy."""
        pairs = zip(self.rows, self.points, strict=True)
        return [(row, point) for row, point in pairs if point["status"] == "ok"]


class Evidence(NamedTuple):
    """A cell's samples, the scales of its numbers, and where the weights of its policies lie.

    samples: None where no policy was measured. weights: file by row of ``points.csv``.
    """

    samples: Samples | None
    gold_mean: float
    gold_sd: float
    proxy_offset: float
    weights: Mapping[int, Path]


def by_prompt(made: Made) -> tuple[Floats, Floats]:
    """Gold and proxy of every measured point, prompt by prompt, (K, B)."""
    table = Table(made.folder / "prompts.parquet")
    count = len(np.unique(table.integers("point")))
    gold_KB, proxy_KB = (table.floats(name).reshape(count, -1) for name in ("gold", "proxy"))
    return gold_KB, proxy_KB
