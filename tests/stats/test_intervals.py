import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from overopt.stats import intervals


def test_t_interval_on_literals() -> None:
    # values 1, 2, 3: sd 1, se 1/sqrt(3), t_2(0.975) = 4.30265273
    interval = intervals.t_interval([1.0, 2.0, 3.0])
    assert interval.mean == 2.0
    assert interval.low == pytest.approx(2.0 - 4.30265273 / np.sqrt(3))
    assert interval.high == pytest.approx(2.0 + 4.30265273 / np.sqrt(3))
    assert interval.exploratory
    assert not intervals.t_interval([1.0, 2.0, 3.0, 4.0, 5.0]).exploratory


def test_a_missing_interval_is_missing() -> None:
    one = intervals.t_interval([7.0])
    assert (one.mean, one.low, one.high, one.se) == (7.0, None, None, None)
    assert not one.above_zero
    assert intervals.t_interval([]).mean is None
    with pytest.raises(ValueError, match="NaN"):
        intervals.t_interval([1.0, np.nan])
    with pytest.raises(ValueError, match="level"):
        intervals.t_interval([1.0, 2.0], level=1.0)


@pytest.mark.parametrize("n_seeds", [3, 5, 10])
def test_t_intervals_cover_what_they_promise(n_seeds: int) -> None:
    values = np.random.default_rng(n_seeds).normal(2.0, 3.0, size=(6000, n_seeds))
    covered = 0
    for row in values:
        interval = intervals.t_interval(row)
        assert interval.low is not None
        assert interval.high is not None
        covered += interval.low <= 2.0 <= interval.high
    assert 0.93 < covered / 6000 < 0.97


def test_paired_test_agrees_with_scipy() -> None:
    generator = np.random.default_rng(0)
    x, y = generator.normal(size=(2, 12))
    ours, theirs = intervals.paired_test(x, y), stats.ttest_rel(x, y)
    assert ours.t == pytest.approx(theirs.statistic)
    assert ours.p == pytest.approx(theirs.pvalue)
    assert intervals.paired_test([1.0, 2.0], [1.0, 2.0]).p == 1.0
    assert intervals.paired_test([2.0, 3.0], [1.0, 2.0]).p is None
    assert intervals.paired_test([2.0], [1.0]).p is None


def test_holm_on_literals_and_against_statsmodels() -> None:
    np.testing.assert_allclose(
        intervals.adjust_holm([0.04, 0.01, 0.03, 0.5]), [0.09, 0.04, 0.09, 0.5]
    )
    p = np.random.default_rng(1).uniform(size=30) ** 3
    np.testing.assert_allclose(intervals.adjust_holm(p), multipletests(p, method="holm")[1])
    with pytest.raises(ValueError, match="between 0 and 1"):
        intervals.adjust_holm([1.2])
