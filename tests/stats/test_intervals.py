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


def world(
    generator: np.random.Generator,
    mean_K: list[float],
    n_seeds: int,
    n_prompts: int,
    seed_noise: float = 0.15,
) -> np.ndarray:
    """Gold with prompt effects, prompt-by-budget effects that all seeds share, and seed noise."""
    n_budgets = len(mean_K)
    return (
        np.array(mean_K)[None, :, None]
        + generator.normal(size=(1, 1, n_prompts))
        + 0.7 * generator.normal(size=(1, n_budgets, n_prompts))
        + seed_noise * generator.normal(size=(n_seeds, n_budgets, 1))
        + 0.7 * generator.normal(size=(n_seeds, n_budgets, n_prompts))
    )


@pytest.mark.parametrize("n_seeds", [1, 3, 5])
def test_a_flat_curve_rarely_rises_or_falls(n_seeds: int) -> None:
    generator, n_repeats = np.random.default_rng(n_seeds), 700
    seed_noise = 0.15 if n_seeds > 1 else 0.0  # one seed cannot see what all its prompts share
    results = [
        intervals.paired_rise_fall(world(generator, [0.0] * 7, n_seeds, 30, seed_noise), generator)
        for _ in range(n_repeats)
    ]
    # nominal size 2.5 % a side; 5 % plus three binomial standard errors is the limit
    limit = 0.05 + 3 * np.sqrt(0.05 * 0.95 / n_repeats)
    assert sum(r.rises for r in results) / n_repeats < limit
    assert sum(r.falls for r in results) / n_repeats < limit


def test_a_planted_rise_and_fall_is_found() -> None:
    generator = np.random.default_rng(4)
    gold = world(generator, [0.0, 0.6, 1.2, 1.0, 0.2], 5, 60)
    result = intervals.paired_rise_fall(gold)
    assert result.rises
    assert result.falls
    assert set(result.peaks) <= {2, 3}
    assert len(result.peaks) == 10
    assert result.rise_seeds.mean == pytest.approx(1.2, abs=0.35)
    assert result.fall_seeds.mean == pytest.approx(-1.0, abs=0.35)
    assert result.rise_seeds.mean == pytest.approx(result.rise_prompts.mean)


def test_rise_and_fall_on_literals() -> None:
    gold = np.zeros((2, 4, 4))
    gold[0, 1:3] = 2.0
    gold[1, 1:3] = 4.0
    gold[:, 2] += [[0.5], [0.5]]
    gold[0, 3] = np.nan  # seed 0 stopped at budget 2
    result = intervals.paired_rise_fall(gold)
    assert result.last == 2
    assert result.peaks == (2, 2, 2, 2)
    assert result.rise_seeds.mean == pytest.approx((2.5 + 4.5) / 2)
    assert result.fall_seeds.mean == 0.0
    assert not result.falls
    assert result.exploratory


def test_rise_without_fall() -> None:
    gold = world(np.random.default_rng(9), [0.0, 0.5, 1.0, 1.5], 5, 60)
    result = intervals.paired_rise_fall(gold)
    assert result.rises
    assert not result.falls


def test_one_seed_tests_one_half_of_the_prompts() -> None:
    gold = world(np.random.default_rng(8), [0.0, 1.5, -1.0], 1, 80)
    result = intervals.paired_rise_fall(gold, np.random.default_rng(0))
    assert result.rise_prompts.n == 40
    assert result.rise_seeds.low is None
    assert len(result.peaks) == 1
    assert result.rises
    assert result.falls
    with pytest.raises(ValueError, match="generator"):
        intervals.paired_rise_fall(gold)


def test_missing_budgets_are_whole_or_refused() -> None:
    gold = np.zeros((2, 3, 4))
    gold[0, 1, 0] = np.nan
    with pytest.raises(ValueError, match="for all prompts"):
        intervals.paired_rise_fall(gold)
    gold[0, 1:] = np.nan
    with pytest.raises(ValueError, match="no budget"):
        intervals.paired_rise_fall(gold)
    gold[0] = np.nan
    with pytest.raises(ValueError, match="initial policy"):
        intervals.paired_rise_fall(gold)
    with pytest.raises(ValueError, match="shape"):
        intervals.paired_rise_fall(np.zeros((2, 3)))
