"""Several runs read together, as tables, figures and the page see them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from overopt.report.stored.empty import empty_table
from overopt.report.stored.methods import (
    RESHAPED,
    families_of,
    marked_methods,
    methods_of,
    pays_once,
    sees_proxy,
)
from overopt.report.stored.run import Run
from overopt.report.stored.schema import TASK
from overopt.spec.columns import FRONT_COLUMNS
from overopt.stats.arrays import Floats

Known = TypeVar("Known", str, bool)

_SAME_SD, _SAME_ERRORS = 0.005, 6.0
"""Fronts agree within this, in SDs of gold and in standard errors of drawn points together.

The same policy on two machines: computed points agree to 0.0001 SD, drawn ones, whose chains part
at the first last digit that differs, to about 3 standard errors. Other initial policies: 0.01 SD
and more at computed points.
"""


def _agrees(front: pd.DataFrame, longest: pd.DataFrame) -> bool:
    """Whether a front has the gold of another one wherever both are."""
    kl_K, other_K = (one["kl_nats"].to_numpy(np.float64) for one in (front, longest))
    there_K = (kl_K >= other_K[0]) & (kl_K <= other_K[-1])

    def of_both(column: str) -> tuple[Floats, Floats]:
        both = (one[column].to_numpy(np.float64) for one in (front, longest))
        own_K, longest_K = (np.nan_to_num(one) for one in both)
        return own_K[there_K], np.interp(kl_K[there_K], other_K, longest_K)

    allowed_K = _SAME_SD + _SAME_ERRORS * np.hypot(*of_both("gold_se"))
    return bool((np.abs(np.subtract(*of_both("gold"))) <= allowed_K).all())


@dataclass(frozen=True)
class Results:
    """Several runs read together.

    points: all rows, with the columns ``run``, ``source`` (its place in ``runs``), ``version``,
        ``task_label``, ``method_label`` and ``proxy_label`` added; the labels name the gold, the
        world, the engine, the axis, the version, the start and width of proxies or the data size
        only where these differ.
    versions: of each run, how it is told from others that hold the same cells with other numbers;
        empty where none do.
    """

    runs: tuple[Run, ...]
    points: pd.DataFrame
    versions: tuple[str, ...]

    @property
    def tasks(self) -> list[str]:
        """Labels of the tasks, sorted; a task with several golds counts once for each."""
        return sorted(set(self.points["task_label"]))

    def labeled_runs(self) -> Iterator[tuple[str, Run]]:
        """Every run with its method, and its task and version where these tell it from others."""
        for run, version in zip(self.runs, self.versions, strict=True):
            label = marked_methods(run.record, run.points["method"])
            if len(self.tasks) > 1:
                label = f"{', '.join(self._tasks_of(run))}: {label}"
            yield f"{label}, {version}" if version else label, run

    def worlds(self, task: str) -> list[int]:
        """Seeds of the worlds in which a task was run, by its label."""
        rows = self.points[self.points["task_label"] == task]
        return sorted({int(world) for world in rows["world"]})

    def front(self, task: str, world: int) -> pd.DataFrame:
        """The oracle front of a task in one world, in ``FRONT_COLUMNS``; empty when none is stored.

        All runs of a task in one world share its front; where several were stored, the one with
        the most points is used. Where they do not agree, because initial policies differ, no front
        is that of all, and there is none.
        """
        fronts = [
            run.front[run.front["world"] == world]
            for run in self.runs
            if task in self._tasks_of(run)
        ]
        longest = max(fronts, key=len, default=empty_table(FRONT_COLUMNS))
        agree = all(_agrees(one, longest) for one in fronts if len(one))
        return longest if agree else empty_table(FRONT_COLUMNS)

    @cached_property
    def families(self) -> dict[str, str]:
        """The family of each method label; methods whose records do not say it are left out."""
        return self._by_label(dict(pair for run in self.runs for pair in families_of(run.record)))

    @cached_property
    def paid_once(self) -> dict[str, bool]:
        """Whether the policies of each method label are paid for in training alone.

        Methods whose records do not say their family are left out.
        """
        once = self._by_label(self._of_specs(pays_once))
        return {label: paid for label, paid in once.items() if label in self.families}

    @cached_property
    def trained(self) -> dict[str, bool]:
        """Labels of the methods that train a policy, and whether against the proxy."""
        sees = self._by_label(self._of_specs(sees_proxy))
        return {
            label: seen
            for label, seen in sees.items()
            if self.families.get(label, RESHAPED) != RESHAPED
        }

    def _of_specs(self, read: Callable[[Mapping[str, Any]], bool]) -> dict[str, bool]:
        """What is read of the specification of each method, by its name."""
        specs = (one for run in self.runs for one in methods_of(run.record))
        return {str(one.get("name")): read(one) for one in specs}

    def _by_label(self, of_method: Mapping[str, Known]) -> dict[str, Known]:
        """The same of each method label; methods that nothing is known of are left out."""
        labels = self.points[["method_label", "method"]].drop_duplicates()
        return {
            str(label): of_method[str(method)]
            for label, method in labels.itertuples(index=False, name=None)
            if str(method) in of_method
        }

    def of_task(self, task: str) -> list[Run]:
        """The runs that hold rows of a task, by its label."""
        return [run for run in self.runs if task in self._tasks_of(run)]

    def _tasks_of(self, run: Run) -> list[str]:
        """Labels of the tasks of a run."""
        named = run.points[list(TASK)].drop_duplicates().itertuples(index=False, name=None)
        return sorted(self._labels[one] for one in named)

    @cached_property
    def _labels(self) -> dict[tuple[str, ...], str]:
        """The label of every task with its gold."""
        columns = [*TASK, "task_label"]
        rows = self.points[columns].drop_duplicates().itertuples(index=False, name=None)
        return {row[:-1]: str(row[-1]) for row in rows}
