"""Several runs read together: each cell's rows once, the best of what was stored.

A cell that failed in one run and succeeded in another has succeeded, and a budget that one run
reached is reached. Where two runs measured the same budget of a cell and do not agree to the last
digit, as runs of other versions or machines do, the runs of that method stand side by side, and so
do runs whose method, task or proxy is set otherwise, whatever cells they hold. Rows of another
world or another gold are never the same cell, and never merged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from overopt.report.stored.points import add_labels
from overopt.report.stored.results import Results
from overopt.report.stored.run import Run
from overopt.report.stored.run_folder import find_runs, read_run
from overopt.report.stored.schema import CELL, LEVELS, TASK
from overopt.report.stored.selection import EVERYTHING, Selection
from overopt.report.stored.settings import Settings, differ, settings_of
from overopt.spec.columns import POINT_COLUMNS, STATUSES

_CELL = (*CELL, "version")


_PLACE = (*_CELL, "kl_target_nats")
"""A cell and one of its budgets; no budget: the initial policy, or the cell as a whole."""


_SOURCE = "source"
"""Which of the runs a row is of: names repeat in other folders."""


def read_results(
    run_dirs: Iterable[Path],
    selection: Selection = EVERYTHING,
    tell: Callable[[int, int], None] = lambda done, of: None,
) -> Results:
    """Read run folders, or every run below parent folders, and merge their points.

    Args:
        run_dirs: the folders.
        selection: which of the results are kept.
        tell: called with how many of how many runs are read.

    Raises:
        UserError: when no run is found, a file is damaged, or no run holds what is selected.
    """
    folders, read = find_runs(run_dirs), []
    for number, folder in enumerate(folders, start=1):
        read.append(read_run(folder))
        tell(number, len(folders))
    # of runs that stand side by side, the one that finished first is number 1
    read.sort(key=lambda run: (run.folder.parent, _finished(run)))
    runs = tuple(selection.apply(read))
    frames = [run.points.assign(run=run.name, **{_SOURCE: i}) for i, run in enumerate(runs)]
    stored = _tell_apart(pd.concat(frames, ignore_index=True), [settings_of(run) for run in runs])
    of_run = stored.groupby(_SOURCE)["version"].unique()
    points = stored[~_outdone(stored)]
    points = points.drop_duplicates(subset=[*POINT_COLUMNS, *LEVELS, "version"], ignore_index=True)
    return Results(
        runs=runs,
        points=add_labels(points),
        versions=tuple(", ".join(filter(None, of_run[i])) for i in range(len(runs))),
    )


def _finished(run: Run) -> str:
    """When a run ended, as text that sorts by time; empty if it does not say."""
    return str(run.record.get("finished_utc") or "")


def _tell_apart(stored: pd.DataFrame, settings: Sequence[Settings | None]) -> pd.DataFrame:
    """Add ``version``: empty, or "run 1", "run 2" ... where runs of a method contradict each other.

    Runs that do not, because they are copies or hold other cells, share a version; those that agree
    on a budget come together first, so that no version repeats what another holds only because a
    third run, which has nothing in common with one of them, was looked at before.
    """
    versioned = stored.assign(version="")
    for key, rows in versioned.groupby([*TASK, "method"]):
        if rows[_SOURCE].nunique() == 1:
            continue
        agreeing, contradictory = _overlaps(rows[~_outdone(rows)])
        sources = [int(source) for source in rows[_SOURCE].unique()]
        contradictory |= _set_otherwise(sources, settings, str(key[-1]))
        agreeing -= contradictory
        if not contradictory:
            continue
        versions: list[set[int]] = [{int(source)} for source in rows[_SOURCE].unique()]
        for pair in sorted(agreeing, key=sorted):
            _join(versions, [version for version in versions if version & pair], contradictory)
        for version in list(versions):
            _join(versions, versions[: versions.index(version) + 1], contradictory)
        for number, version in enumerate(versions, start=1):
            members = rows.index[rows[_SOURCE].isin(version)]
            versioned.loc[members, "version"] = f"run {number}"
    return versioned


def _set_otherwise(
    sources: Sequence[int], settings: Sequence[Settings | None], method: str
) -> set[frozenset[int]]:
    """Pairs of runs whose settings differ; records of other versions tell none."""
    found = set()
    for pair in combinations(sources, 2):
        one, other = (settings[source] for source in pair)
        if one is not None and other is not None and differ(one, other, method):
            found.add(frozenset(pair))
    return found


def _join(
    versions: list[set[int]], among: list[set[int]], contradictory: set[frozenset[int]]
) -> None:
    """Let the last of some versions join the first of them that nothing in it contradicts."""
    *others, joining = among
    for version in others:
        if not any(
            frozenset((one, other)) in contradictory for one in version for other in joining
        ):
            version |= joining
            versions.remove(joining)
            return


def _overlaps(points: pd.DataFrame) -> tuple[set[frozenset[int]], set[frozenset[int]]]:
    """Pairs of runs that store a budget of a cell alike everywhere, and that do not somewhere."""
    sources = points.groupby(list(_PLACE), dropna=False)[_SOURCE].transform("nunique")
    agreeing: set[frozenset[int]] = set()
    contradictory: set[frozenset[int]] = set()
    for _, rows in points[sources > 1].groupby(list(_PLACE), dropna=False):
        of_source = {
            int(str(source)): part[list(POINT_COLUMNS)].reset_index(drop=True)
            for source, part in rows.groupby(_SOURCE)
        }
        for pair in combinations(of_source, 2):
            same = of_source[pair[0]].equals(of_source[pair[1]])
            (agreeing if same else contradictory).add(frozenset(pair))
    return agreeing - contradictory, contradictory


def _outdone(stored: pd.DataFrame) -> NDArray[np.bool_]:
    """Rows that only say that something is missing, where another row holds it.

    A budget out of reach is outdone by the same budget measured; a failure by any other status of
    its budget, or of its cell where the cell failed as a whole.
    """
    rank = stored["status"].map({status: i for i, status in enumerate(STATUSES)})
    ranked = stored[list(_PLACE)].assign(rank=rank)
    best_there = ranked.groupby(list(_PLACE), dropna=False)["rank"].transform("min")
    best_of_cell = ranked.groupby(list(_CELL), dropna=False)["rank"].transform("min")
    failed_whole = (stored["status"] == "failed") & stored["kl_target_nats"].isna()
    outdone = (rank > best_there) | (failed_whole & (rank > best_of_cell))
    return outdone.to_numpy(np.bool_)
