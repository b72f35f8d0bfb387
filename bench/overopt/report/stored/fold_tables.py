"""The tables of the report: of everything, and of each method for its fold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from overopt.report.group import Group
from overopt.report.stored.run import Run
from overopt.report.tables.flaws import show_flaws
from overopt.report.tables.peaks import show_contrasts, show_gaps, show_worlds
from overopt.report.tables.scores import show_fits, show_scores
from overopt.report.tables.stability import show_stability
from overopt.report.tables.text import TextTable
from overopt.report.tables.training import show_training

FoldKey = tuple[str, str]
"""Task and method."""


@dataclass(frozen=True)
class Tables:
    """What the tables are of.

    Attributes:
        groups: curves of single worlds.
        scores: tidy scores, one row per group.
        fits: tidy fits, one row per group and form.
        runs: by task and method.
        trained: labels of the methods that train, and whether against the proxy.
    """

    groups: Sequence[Group]
    scores: pd.DataFrame
    fits: pd.DataFrame
    runs: Mapping[FoldKey, Sequence[Run]]
    trained: Mapping[str, bool]

    def shown(self) -> dict[str, TextTable]:
        """Finished tables by name."""
        tables = (
            show_contrasts(self.groups),
            show_worlds(self.groups),
            show_scores(self.scores),
            show_fits(self.fits),
            show_gaps(self.groups),
            show_flaws(self.groups),
            show_stability(self.groups, self.trained),
        )
        return {table.name: table for table in tables}

    def folds(self) -> dict[FoldKey, list[TextTable]]:
        """The tables of each task and method that have rows."""
        groups: dict[FoldKey, list[Group]] = {}
        for group in self.groups:
            groups.setdefault((group.task, group.method), []).append(group)
        # objects, since a column of Arrow strings is slow to take a few rows of
        scores, fits = (
            dict(tuple(table.astype(object).groupby(["task", "method"])))
            for table in (self.scores, self.fits)
        )
        folds = {}
        for key, mine in groups.items():
            tables = Tables(mine, scores[key], fits[key], {}, self.trained).shown().values()
            training = show_training(self.runs.get(key, ()))
            folds[key] = [table for table in (*tables, training) if table.rows]
        return folds
