"""Statistics over the points of runs, by columns that are written down."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from overopt.papers.contract import AcrossRuns, Arm, AtLowest, Together
from overopt.report.verdicts.arms import ArmRows, NotMeasured, Scope
from overopt.report.verdicts.statistics import Statistic

from .planted import BUDGETS, HUMPED, STEADY, arm_rows, humped

POINTS = len(BUDGETS)


def planted(**columns: list[float]) -> ArmRows:
    """Two seeds with further columns at the budgets; the initial policy's are far off."""
    rows = arm_rows(humped, seeds=2)
    added = {name: np.array([99.0, *values]) for name, values in columns.items()}
    seeds = tuple(replace(one, columns={**one.columns, **added}) for one in rows.worlds[0])
    return ArmRows({0: seeds}, rows.estimator, rows.folders)


def read(statistic: Statistic, **rows: ArmRows) -> float:
    measured = {Arm(method="bon", proxy=name): one for name, one in rows.items()}
    (table,) = statistic.read(Scope(measured, statistic.arms)).values()
    assert table.shape == (2, 1)
    assert table[0, 0] == table[1, 0]
    return float(table[0, 0])


def test_two_columns_go_together_near_and_part_far() -> None:
    """The end is at d = 3, so that budgets up to 2.25 nats are near: 0.5, 1 and 2."""
    rows = planted(a=[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], b=[1.0, 2.0, 3.0, 2.5, 2.0, 1.5])
    assert read(Together(HUMPED, "a", "b", "near"), single=rows) == pytest.approx(1.0)
    assert read(Together(HUMPED, "a", "b", "far"), single=rows) == pytest.approx(-1.0)
    # ranks of b less their mean: -2.5, 0, 2.5, 1.5, 0, -1.5; with those of a, products sum to 2
    assert read(Together(HUMPED, "a", "b"), single=rows) == pytest.approx(2.0 / np.sqrt(17.5 * 17))


def test_points_of_several_runs_are_ranked_together() -> None:
    one = planted(a=[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], b=[6.0, 5.0, 4.0, 3.0, 2.0, 1.0])
    other = planted(a=[11.0, 12.0, 13.0, 14.0, 15.0, 16.0], b=[16.0, 15.0, 14.0, 13.0, 12.0, 11.0])
    found = read(AcrossRuns((HUMPED, STEADY), "a", "b"), single=one, wco=other)
    # within each run the ranks are opposite, between them they agree: d = 5, 3, 1, 1, 3, 5 twice
    assert found == pytest.approx(1.0 - 6.0 * (2 * 70.0) / (12.0 * (144.0 - 1.0)))


def test_a_column_is_read_where_another_is_lowest() -> None:
    rows = planted(loss=[5.0, 4.0, np.nan, 2.0, 3.0, 6.0], flipped=[1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    assert read(AtLowest(HUMPED, "flipped", "loss"), single=rows) == 4.0


def test_what_was_not_stored_is_no_number() -> None:
    rows = planted(loss=[np.nan] * POINTS)
    for statistic in (
        Together(HUMPED, "ranking", "win_rate"),
        AcrossRuns((HUMPED,), "ranking", "gold_mean"),
        AtLowest(HUMPED, "auroc", "loss"),
    ):
        with pytest.raises(NotMeasured):
            read(statistic, single=rows)
