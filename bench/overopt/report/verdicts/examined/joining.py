"""Marks of exams as rows of the arms whose proxies sat them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from overopt.report.stored.exams import StoredExams
from overopt.report.verdicts.arms import EXAM, Arm, ArmRows, SeedRows
from overopt.report.verdicts.beyond import of_arm
from overopt.report.verdicts.gathering import NOT_RUN, holds
from overopt.spec.exam import ExamSpec
from overopt.spec.run import RunSpec
from overopt.stats.arrays import Floats


def examined(arm: Arm) -> Arm:
    """The arm whose proxies are those of another, examined in place of being optimized against."""
    own = tuple(one for one in arm.settings if not one.startswith(f"{arm.method}."))
    return replace(arm, method=EXAM, settings=own, along="step")


def is_exam(arm: Arm) -> bool:
    """Whether nothing optimizes the proxies of an arm."""
    return arm.method == EXAM


def exam_rows(wanted: RunSpec, asked: ExamSpec, stored: Iterable[StoredExams]) -> ArmRows:
    """What is stored of an arm's exams; of several folders that hold a cell the first counts.

    Exams that were drawn otherwise are other exams.
    """
    found: dict[tuple[int, int], SeedRows] = {}
    folders: list[str] = []
    for one in stored:
        if one.exam != asked:
            continue
        for number, spec in enumerate(one.specs):
            if holds(spec, wanted):
                mine = {k: v for k, v in _seeds(one, number, wanted).items() if k not in found}
                found |= mine
                folders += [one.folder.name] if mine else []
    if not found:
        return ArmRows({}, missing=NOT_RUN)
    worlds = {
        world: tuple(found[at] for at in sorted(found) if at[0] == world)
        for world in sorted({world for world, _ in found})
    }
    return ArmRows(worlds, folders=tuple(dict.fromkeys(folders)))


def _seeds(one: StoredExams, number: int, wanted: RunSpec) -> dict[tuple[int, int], SeedRows]:
    found = {}
    for place, rows in of_arm(one.marks, number, wanted).groupby(["world", "seed"]):
        world, seed = (int(float(str(part))) for part in place)
        named = zip(rows["exam"], rows["of"], rows["value"], strict=True)
        marks = {(str(exam), str(of)): float(value) for exam, of, value in named}
        found[world, seed] = SeedRows(seed, _none(), _none(), {}, None, marks=marks)
    return found


def _none() -> Floats:
    return np.zeros(0, np.float64)
