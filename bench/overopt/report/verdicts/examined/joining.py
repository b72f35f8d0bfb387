"""Marks of exams as rows of the arms whose proxies sat them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pandas as pd

from overopt.report.verdicts.arms import EXAM, Arm, ArmRows, SeedRows

Part = tuple[pd.DataFrame, str]
"""Marks of an arm's cells in a table of ``bench examine``, and the name of the folder."""


def examined(arm: Arm) -> Arm:
    """The arm whose proxies are those of another, examined in place of being optimized against."""
    own = tuple(one for one in arm.settings if not one.startswith(f"{arm.method}."))
    return replace(arm, method=EXAM, settings=own, along="step")


def is_exam(arm: Arm) -> bool:
    """Whether nothing optimizes the proxies of an arm."""
    return arm.method == EXAM


def exam_rows(parts: Iterable[Part]) -> ArmRows:
    """What is stored of an arm's exams; of several folders that hold a cell the first counts."""
    found: dict[tuple[int, int], SeedRows] = {}
    folders: list[str] = []
    for marks, folder in parts:
        mine = {at: one for at, one in _seeds(marks).items() if at not in found}
        found |= mine
        folders += [folder] if mine else []
    if not found:
        return ArmRows({}, missing="not examined")
    worlds = {
        world: tuple(found[at] for at in sorted(found) if at[0] == world)
        for world in sorted({world for world, _ in found})
    }
    return ArmRows(worlds, folders=tuple(dict.fromkeys(folders)))


def _seeds(marks: pd.DataFrame) -> dict[tuple[int, int], SeedRows]:
    found, none = {}, np.zeros(0, np.float64)
    for place, rows in marks.groupby(["world", "seed"]):
        world, seed = (int(float(str(part))) for part in place)
        named = zip(rows["exam"], rows["of"], rows["value"], strict=True)
        mine = {(str(exam), str(of)): float(value) for exam, of, value in named}
        found[world, seed] = SeedRows(seed, none, none, {}, None, marks=mine)
    return found
