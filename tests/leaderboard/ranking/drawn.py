"""Drawn run folders whose records say what a ranking asks for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from comparison.drawn import write_run
from overopt.leaderboard.ranking.board import Board
from overopt.leaderboard.ranking.boards import Measures, make_boards
from overopt.report.comparison.runs import measures_of
from overopt.report.group import Group
from overopt.report.groups import group_results
from overopt.report.stored.reading import read_results
from overopt.report.stored.results import Results


def write_entry(
    root: Path,
    method: str,
    height: float,
    *,
    family: str = "rollout",
    tuned: bool = True,
    uses_gold: str = "none",
    finished: str = "2026-01-01T00:00:00+00:00",
    proxy: str = "single",
    worlds: tuple[int, ...] = (0,),
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4),
) -> Path:
    """One entry; see `write_run`."""
    folder = write_run(
        root, method, height, family=family, proxy=proxy, worlds=worlds, seeds=seeds,
        name=f"step-{sum(map(ord, proxy)) + sum(worlds):010d}",
    )  # fmt: skip
    path = folder / "run.json"
    record = json.loads(path.read_text())
    record["spec"]["methods"][0]["uses_gold"] = uses_gold
    record["spec"]["proxies"] = [{"name": proxy, "config": {}}]
    record["spec"]["tuned"] = tuned
    record["finished_utc"] = finished
    path.write_text(json.dumps(record))
    return folder


def alter(folder: Path, **spec: Any) -> None:
    """Change what a run's record says: ``task`` as it is, others of the only method or proxy."""
    path = folder / "run.json"
    record = json.loads(path.read_text())
    record["spec"].setdefault("task", {"name": "tabular"})
    record["spec"]["task"] |= spec.get("task", {})
    record["spec"]["methods"][0] |= spec.get("method", {})
    record["spec"]["proxies"][0] |= spec.get("proxy", {})
    path.write_text(json.dumps(record))


def read(root: Path) -> tuple[Results, list[Group], Measures]:
    """What boards are made from."""
    results = read_results([root])
    return results, group_results(results), measures_of(results)


def boards_of(root: Path) -> list[Board]:
    """The boards of a results folder."""
    return make_boards(*read(root))
