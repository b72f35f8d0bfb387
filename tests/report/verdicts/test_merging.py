"""Statistics of merged policies on numbers that are written down, and claims on planted ones."""

from __future__ import annotations

from dataclasses import replace
from math import inf

import numpy as np
import pytest

from overopt.papers.contract import AtKnob, Between, Claim, TaskAngle, more
from overopt.report.verdicts.arms import ArmRows, Measured, NotMeasured, Scope
from overopt.report.verdicts.judging import judge
from overopt.report.verdicts.statistics import Statistic

from .planted import BUDGETS, HUMPED, STEADY, arm_rows, humped

NAN = float("nan")


def planted(proxy_at_end: list[float], angles: list[dict[str, float]]) -> ArmRows:
    """Seeds whose last policy has a knob of 1."""
    rows = arm_rows(humped, seeds=len(proxy_at_end))
    knob_K = np.array([NAN, *np.linspace(0.1, 1.0, len(BUDGETS))])
    seeds = []
    for one, value, mine in zip(rows.worlds[0], proxy_at_end, angles, strict=True):
        proxy_K = one.column("proxy_mean").copy()
        proxy_K[-1] = value
        columns = {**one.columns, "knob_value": knob_K, "proxy_mean": proxy_K}
        seeds.append(replace(one, columns=columns, angles=mine))
    return ArmRows({0: tuple(seeds)}, rows.estimator, rows.folders)


def read(statistic: Statistic, measured: Measured) -> list[float]:
    (table,) = statistic.read(Scope(measured, statistic.arms)).values()
    return [float(value) for value in table[:, 0]]


def test_a_column_where_the_knob_has_a_value() -> None:
    rows = {HUMPED: planted([5.0, 7.0], [{}, {}])}
    assert read(AtKnob(HUMPED, "proxy_mean", 1.0), rows) == [5.0, 7.0]
    assert read(AtKnob(HUMPED, "kl_nats", 1.0), rows) == [BUDGETS[-1]] * 2
    with pytest.raises(NotMeasured, match="no policy has a knob of 2"):
        read(AtKnob(HUMPED, "proxy_mean", 2.0), rows)
    with pytest.raises(NotMeasured, match="proxy_mean was not measured"):
        read(AtKnob(HUMPED, "proxy_mean", 1.0), {HUMPED: planted([NAN, 1.0], [{}, {}])})


def test_angles_count_every_layer_once() -> None:
    mine = {"a": 80.0, "b": 100.0, "c": 84.0, "all": 71.0}
    rows = {HUMPED: planted([1.0], [mine])}
    assert read(TaskAngle(HUMPED), rows) == [88.0]
    assert read(TaskAngle(HUMPED, "all"), rows) == [71.0]


def test_runs_without_angles_are_not_judged() -> None:
    rows = {HUMPED: planted([1.0, 2.0], [{"a": 90.0, "all": 90.0}, {}])}
    with pytest.raises(NotMeasured, match="no angles were stored"):
        read(TaskAngle(HUMPED), rows)


@pytest.mark.parametrize(
    ("angles", "expected"),
    [
        ([88.0, 91.0, 89.0, 90.0, 92.0], "reproduced"),
        ([31.0, 28.0, 33.0, 30.0, 29.0], "contradicted"),
        ([40.0, 110.0, 75.0, 60.0, 95.0], "not resolved at this scale"),
    ],
)
def test_near_a_right_angle(angles: list[float], expected: str) -> None:
    rows = {HUMPED: planted([1.0] * 5, [{"a": one, "all": one} for one in angles])}
    claim = Claim("x-01", "r", "n", "s", Between(TaskAngle(HUMPED), 70.0, inf))
    (found,) = judge([claim], rows)
    assert found.verdict == expected


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        ([2.1, 2.2, 2.15, 2.05, 2.2], "reproduced"),
        ([1.9, 1.8, 1.85, 1.95, 1.8], "contradicted"),
        ([2.2, 1.7, 2.1, 1.8, 2.25], "not resolved at this scale"),
    ],
)
def test_merged_policies_are_compared_where_they_are(one: list[float], expected: str) -> None:
    rows = {HUMPED: planted(one, [{}] * 5), STEADY: planted([2.0] * 5, [{}] * 5)}
    rule = more(AtKnob(HUMPED, "proxy_mean", 1.0), AtKnob(STEADY, "proxy_mean", 1.0))
    (found,) = judge([Claim("x-01", "r", "n", "s", rule)], rows)
    assert found.verdict == expected
