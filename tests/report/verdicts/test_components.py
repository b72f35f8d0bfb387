"""Distances of points of components on numbers that are written down, and planted claims."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from overopt.papers.contract import Along, Claim, PointDistance, Positive
from overopt.report.verdicts.arms import Arm, ArmRows, NotMeasured, Scope
from overopt.report.verdicts.judging import judge

from .planted import HUMPED, arm_rows, humped

LEVELS = (0.0, 0.3, 0.6, 0.9)


def planted(difference_S2M: list[list[list[float]]]) -> ArmRows:
    """Seeds of which two halves find these differences of the joint point from the single ones."""
    rows = arm_rows(humped, seeds=len(difference_S2M))
    alone_M = np.array([1.0, 2.0])
    seeds = []
    for one, halves in zip(rows.worlds[0], difference_S2M, strict=True):
        components = {
            (half, kind): alone_M + (np.array(difference_M) if kind == "joint" else 0.0)
            for half, difference_M in zip(("first", "second"), halves, strict=True)
            for kind in ("joint", "alone")
        }
        seeds.append(replace(one, components=components))
    return ArmRows({0: tuple(seeds)}, rows.estimator, rows.folders)


def noisy(distance: float, number: int, noise: float = 0.02) -> ArmRows:
    """Five seeds with a true difference along the first component."""
    generator = np.random.default_rng(number)
    truth_M = np.array([distance, 0.0])
    return planted(
        [[(truth_M + generator.normal(0.0, noise, 2)).tolist() for _ in "ab"] for _ in range(5)]
    )


def verdict(levels: dict[float, ArmRows]) -> str:
    arms = {level: Arm("bon", settings=(f"level={level:g}",)) for level in levels}
    slope = Along("level", tuple((level, PointDistance(arm)) for level, arm in arms.items()))
    measured = {arms[level]: rows for level, rows in levels.items()}
    (found,) = judge([Claim("x-01", "r", "n", "s", Positive(slope))], measured)
    return found.verdict


def test_halves_are_multiplied() -> None:
    rows = {HUMPED: planted([[[0.5, -1.0], [1.0, 0.5]], [[2.0, 0.0], [2.0, 3.0]]])}
    (table,) = PointDistance(HUMPED).read(Scope(rows, (HUMPED,))).values()
    assert table[:, 0].tolist() == [0.0, 4.0]


def test_runs_without_points_are_not_judged() -> None:
    rows = {HUMPED: arm_rows(humped)}
    with pytest.raises(NotMeasured, match="no points of components"):
        PointDistance(HUMPED).read(Scope(rows, (HUMPED,)))


def test_a_distance_that_grows_that_shrinks_and_that_is_noise() -> None:
    grows = {level: noisy(0.5 + level, i) for i, level in enumerate(LEVELS)}
    shrinks = {level: noisy(1.5 - level, i) for i, level in enumerate(LEVELS)}
    level = {level: noisy(0.0, i, 0.3) for i, level in enumerate(LEVELS)}
    assert verdict(grows) == "reproduced"
    assert verdict(shrinks) == "contradicted"
    assert verdict(level) == "not resolved at this scale"


def test_without_a_difference_the_distance_is_not_shown_to_be_above_zero() -> None:
    rows = {HUMPED: noisy(0.0, 7, 0.3)}
    (found,) = judge([Claim("x-01", "r", "n", "s", Positive(PointDistance(HUMPED)))], rows)
    assert found.verdict == "not resolved at this scale"
