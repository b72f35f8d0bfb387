"""What a run folder holds once it is read."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from overopt.report.stored.empty import empty_table
from overopt.report.stored.records import records_of
from overopt.spec.columns import (
    ANGLE_COLUMNS,
    COMPONENT_COLUMNS,
    DIAGNOSTIC_COLUMNS,
    RANKING_COLUMNS,
    TRAJECTORY_COLUMNS,
)


@dataclass(frozen=True)
class Excerpt:
    """One prompt answered by the initial policy and by an optimized one, with both scores.

    Scores are in SDs of the initial policy (gold) and recentered to its mean (proxy).
    """

    prompt: str
    initial: str
    hacked: str
    gold_initial: float
    gold_hacked: float
    proxy_initial: float
    proxy_hacked: float
    world: int
    seed: int
    proxy: str
    noise: str
    kl_nats: float


@dataclass(frozen=True)
class Run:
    """One stored run.

    points: one row per point, columns ``schema.POINT_COLUMNS``; its index counts the data rows of
        ``points.csv`` from 0, also where only some of them are kept.
    contrasts: peak and end, one row per world, proxy, noise and size, columns ``CONTRAST_COLUMNS``;
        empty when none were stored.
    budgets: means along the budgets, columns ``BUDGET_COLUMNS``; empty when none were stored.
    worlds: peak and end over worlds, columns ``WORLD_COLUMNS``; empty where there is one world.
    front: oracle fronts, ``FRONT_COLUMNS``, gold in SDs of the initial policy; may be
        empty.
    trajectory: training step by step, ``TRAJECTORY_COLUMNS``; empty when none was stored.
    diagnostics: of each policy, ``DIAGNOSTIC_COLUMNS``. rankings: ``RANKING_COLUMNS``. angles:
        ``ANGLE_COLUMNS``. components: ``COMPONENT_COLUMNS``. All may be empty.
    """

    folder: Path
    record: dict[str, Any]
    points: pd.DataFrame
    excerpts: tuple[Excerpt, ...]
    contrasts: pd.DataFrame
    budgets: pd.DataFrame
    worlds: pd.DataFrame
    front: pd.DataFrame
    trajectory: pd.DataFrame = field(default_factory=lambda: empty_table(TRAJECTORY_COLUMNS))
    diagnostics: pd.DataFrame = field(default_factory=lambda: empty_table(DIAGNOSTIC_COLUMNS))
    rankings: pd.DataFrame = field(default_factory=lambda: empty_table(RANKING_COLUMNS))
    angles: pd.DataFrame = field(default_factory=lambda: empty_table(ANGLE_COLUMNS))
    components: pd.DataFrame = field(default_factory=lambda: empty_table(COMPONENT_COLUMNS))

    @cached_property
    def world_rows(self) -> list[dict[Any, Any]]:
        """The rows of ``worlds``, each as one object that also names its worlds, ``of``."""
        of = frozenset(int(world) for world in self.points["world"])
        return [{**row, "of": of} for row in records_of(self.worlds)]

    @property
    def name(self) -> str:
        """``task/method/run_id``, the last three parts of the folder."""
        return "/".join(self.folder.parts[-3:])
