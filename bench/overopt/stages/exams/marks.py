"""What a proxy system makes of every set, from its members' scores on the pool."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from overopt.artifacts.own_file import locate_own
from overopt.artifacts.points import system_scores
from overopt.artifacts.tables import Table, write_json
from overopt.engines.method.loading import open_as
from overopt.engines.proxy import OpenedProxy
from overopt.execution.contract import Progress
from overopt.spec.system import ProxySystemSpec
from overopt.stages.exams.reading import Sets, mark_row, read_sets
from overopt.stats.arrays import Floats
from overopt.stats.exams.designs import ACCURACY, ALL, DESIGNS, DIVERSITY, GAP, LINEUPS, MEAN
from overopt.stats.exams.marks import agreement, all_wins, mean_wins


def run(params: dict[str, Any], inputs: dict[str, Path], out: Path, progress: Progress) -> None:
    """Write ``marks.json``: accuracies by design, and what the sets of each design are like.

    params: ``system`` (ProxySystemSpec).
    """
    spec = ProxySystemSpec.model_validate(params["system"])
    table = Table(inputs["pool"] / "samples.parquet")
    score_N = system_scores(inputs, "pool", table, open_as(OpenedProxy, locate_own(spec, inputs)))
    marks = grade(read_sets(inputs["sets"]), score_N, table.floats("gold"))
    write_json(out / "marks.json", {"marks": marks})


def grade(sets: dict[str, Sets], score_N: Floats, gold_N: Floats) -> list[dict[str, Any]]:
    """One line for each number; a design without sets has none."""
    rows = []
    for design in DESIGNS:
        if design.name not in sets:
            continue
        mine = sets[design.name]
        score_SR = score_N[mine.row_SR]
        for of, count in ((ALL, all_wins), (MEAN, mean_wins)):
            rows.append(mark_row(design.name, of, *count(score_SR, len(design.chosen))))
        for of in (DIVERSITY, GAP):
            rows.append(mark_row(design.name, of, float(mine.known[of]), len(mine.row_SR)))
    for lineup in LINEUPS:
        if lineup.name in sets:
            mine = sets[lineup.name]
            found = agreement(score_N[mine.row_SR], gold_N[mine.row_SR])
            rows += [] if found is None else [mark_row(lineup.name, ACCURACY, *found)]
    return rows
