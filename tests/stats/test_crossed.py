"""Crossed intervals: mean squares and df by hand, coverage by simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import stdtrit

from overopt.stats.arrays import Floats
from overopt.stats.crossed import (
    Crossed,
    combine_df,
    crossed_error,
    crossed_interval,
    mean_squares,
    widest_interval,
)
from overopt.stats.intervals import t_interval

REPLICATES = 4000


def test_mean_squares_and_degrees_of_freedom_by_hand() -> None:
    # row means 2, 5; column means 1.5, 3, 6; mean 3.5; residuals +-1, +-0.5, -+1.5
    x_SP = [[1.0, 2.0, 3.0], [2.0, 4.0, 9.0]]
    squares = mean_squares(x_SP)
    assert squares.seed == pytest.approx(3 * (1.5**2 + 1.5**2) / 1)  # 13.5
    assert squares.prompt == pytest.approx(2 * (2.0**2 + 0.5**2 + 2.5**2) / 2)  # 10.5
    assert squares.residual == pytest.approx(2 * (1.0 + 0.25 + 2.25) / 2)  # 3.5
    variance, df = crossed_error(squares, 2, 3)
    assert variance == pytest.approx(20.5 / 6)  # 13.5 + 10.5 - 3.5
    assert df == pytest.approx(20.5**2 / (13.5**2 + 10.5**2 / 2 + 3.5**2 / 2))  # 1.7259
    interval = crossed_interval(x_SP)
    assert interval.mean == 3.5
    assert interval.se == pytest.approx(1.8484228)
    half = float(stdtrit(1.7258727, 0.975)) * 1.8484228
    assert (interval.low, interval.high) == pytest.approx((3.5 - half, 3.5 + half))
    assert (interval.n_seeds, interval.n_prompts) == (2, 3)
    assert interval.over == "seeds and prompts"


def test_a_component_below_zero_counts_as_zero() -> None:
    # both rows have mean 2: MS_seed 0, MS_prompt 4.5, MS_res 0.5
    x_SP = [[0.0, 2.0, 4.0], [1.0, 2.0, 3.0]]
    variance, df = crossed_error(mean_squares(x_SP), 2, 3)
    assert variance == pytest.approx(4.5 / 6)  # not (0 + 4.5 - 0.5) / 6
    assert df == pytest.approx(4.5**2 / (4.5**2 / 2 + 0.5**2 / 2))
    over_prompts = t_interval([0.5, 2.0, 3.5])
    assert crossed_interval(x_SP).se == pytest.approx(over_prompts.se)


def test_two_components_below_zero_leave_the_residual() -> None:
    # all row and column means are 1.5: MS_seed = MS_prompt = 0, MS_res = 1; the plain sum is -1
    variance, df = crossed_error(mean_squares([[1.0, 2.0], [2.0, 1.0]]), 2, 2)
    assert float(variance) == 0.25
    assert float(df) == 1.0


def test_the_standard_error_is_never_below_a_one_way_one() -> None:
    generator = np.random.default_rng(3)
    for _ in range(200):
        x_SP = generator.normal(size=(3, 6)) + 0.3 * generator.normal(size=(3, 1))
        se = crossed_interval(x_SP).se
        one_way = [t_interval(x_SP.mean(axis=axis)).se for axis in (0, 1)]
        assert se is not None
        for other in one_way:
            assert other is not None
            assert se >= other * (1 - 1e-12)


def test_one_seed_or_one_prompt_is_labeled_as_such() -> None:
    one_seed, one_prompt = crossed_interval([[1.0, 2.0, 3.0]]), crossed_interval([[1.0], [3.0]])
    assert one_seed.over == "prompts"
    assert (one_seed.low, one_seed.high) == t_interval([1.0, 2.0, 3.0])[1:3]
    assert one_prompt.over == "seeds"
    assert (one_prompt.low, one_prompt.high) == t_interval([1.0, 3.0])[1:3]
    nothing = crossed_interval([[7.0]])
    assert (nothing.mean, nothing.low, nothing.se, nothing.df) == (7.0, None, None, None)
    assert not nothing.above_zero
    assert not nothing.below_zero


def test_equal_numbers_have_an_interval_of_width_zero() -> None:
    interval = crossed_interval(np.full((3, 4), 2.0))
    assert (interval.low, interval.high, interval.se) == (2.0, 2.0, 0.0)


def test_fewer_than_five_seeds_are_exploratory() -> None:
    x_SP = np.random.default_rng(0).normal(size=(5, 6))
    assert not crossed_interval(x_SP).exploratory
    assert crossed_interval(x_SP[:4]).exploratory


def test_what_is_no_table_is_refused() -> None:
    with pytest.raises(ValueError, match="NaN"):
        crossed_interval([[1.0, np.nan], [1.0, 2.0]])
    with pytest.raises(ValueError, match="seeds, prompts"):
        crossed_interval([1.0, 2.0])
    with pytest.raises(ValueError, match="level"):
        crossed_interval([[1.0, 2.0], [3.0, 4.0]], level=1.0)
    with pytest.raises(ValueError, match="2 seeds by 2 prompts"):
        mean_squares([[1.0, 2.0]])


def draw(n_seeds: int, n_prompts: int, seeds: float, prompts: float) -> Floats:
    """Tables (R, S, P) of mean 0: residual variance 1, and what each component adds to MS / 1.

    seeds is P sigma_seed^2, prompts S sigma_prompt^2, both in units of the residual variance.
    """
    generator = np.random.default_rng([n_seeds, n_prompts, int(10 * seeds), int(10 * prompts)])
    return np.asarray(
        generator.normal(size=(REPLICATES, n_seeds, n_prompts))
        + np.sqrt(seeds / n_prompts) * generator.normal(size=(REPLICATES, n_seeds, 1))
        + np.sqrt(prompts / n_seeds) * generator.normal(size=(REPLICATES, 1, n_prompts))
    )


def covered(x_RSP: Floats) -> float:
    """Share of 95 % intervals that hold the true mean 0."""
    _, n_seeds, n_prompts = x_RSP.shape
    variance, df = crossed_error(mean_squares(x_RSP), n_seeds, n_prompts)
    return float(np.mean(np.abs(x_RSP.mean(axis=(1, 2))) <= stdtrit(df, 0.975) * variance**0.5))


RATIOS = [(0.0, 0.0), (0.0, 1.0), (0.3, 1.0), (1.0, 1.0), (3.0, 1.0), (3.0, 0.0), (9.0, 9.0)]


@pytest.mark.parametrize(("n_seeds", "n_prompts"), [(3, 32), (5, 8), (5, 64), (10, 32)])
@pytest.mark.parametrize(("seeds", "prompts"), RATIOS)
def test_intervals_cover_what_they_promise(
    n_seeds: int, n_prompts: int, seeds: float, prompts: float
) -> None:
    # at least 94 %, less three Monte Carlo standard errors of 0.4 %
    share = covered(draw(n_seeds, n_prompts, seeds, prompts))
    assert share > 0.94 - 3 * np.sqrt(0.94 * 0.06 / REPLICATES)
    if min(seeds, prompts) >= 1.0:  # where both components exist, not by being too wide
        assert share < 0.98


@pytest.mark.parametrize(("seeds", "prompts"), RATIOS)
def test_two_seeds_cover_little_less(seeds: float, prompts: float) -> None:
    share = covered(draw(2, 64, seeds, prompts))
    assert share > 0.91 - 3 * np.sqrt(0.91 * 0.09 / REPLICATES)


def test_the_standard_error_is_right_on_average() -> None:
    # Var of the mean = (1 + P sigma_seed^2 + S sigma_prompt^2) / (S P) = (1 + 9 + 9) / 160
    variance, _ = crossed_error(mean_squares(draw(5, 32, 9.0, 9.0)), 5, 32)
    assert variance.mean() == pytest.approx(19 / 160, rel=0.03)


def test_one_table_and_many_agree() -> None:
    x_RSP = draw(5, 8, 1.0, 1.0)[:3]
    variance, df = crossed_error(mean_squares(x_RSP), 5, 8)
    for i, x_SP in enumerate(x_RSP):
        one: Crossed = crossed_interval(x_SP)
        assert (one.se, one.df) == pytest.approx((variance[i] ** 0.5, df[i]))


def test_summaries_of_seeds_give_an_interval_by_hand() -> None:
    # over seeds: means 1, 2, 3, 1 / 3; over prompts: (0.1^2 + 0.2^2 + 0.2^2) / 3 = 0.03
    found = widest_interval([1.0, 2.0, 3.0], [0.1, 0.2, 0.2], 20)
    assert found.mean == 2.0
    assert found.se == pytest.approx(np.sqrt(1 / 3 + 0.03))
    assert found.df == pytest.approx((1 / 3 + 0.03) ** 2 / ((1 / 3) ** 2 / 2 + 0.03**2 / 19))
    assert found.over == "seeds and prompts, at most"
    assert (found.n_seeds, found.n_prompts) == (3, 20)


def test_an_interval_from_summaries_is_never_narrower() -> None:
    for x_SP in draw(4, 10, 0.3, 1.0)[:300]:
        se_S = x_SP.std(axis=1, ddof=1) / np.sqrt(10)
        widest, whole = widest_interval(x_SP.mean(axis=1), se_S, 10), crossed_interval(x_SP)
        assert widest.se is not None and whole.se is not None
        assert widest.se >= whole.se * (1 - 1e-12)
        assert widest.mean == pytest.approx(whole.mean)


def test_the_summary_of_one_seed_is_over_its_prompts() -> None:
    x_P = np.array([1.0, 2.0, 4.0, 5.0])
    found = widest_interval([x_P.mean()], [x_P.std(ddof=1) / 2], 4)
    assert found.over == "prompts"
    assert (found.low, found.high) == pytest.approx(t_interval(x_P)[1:3])
    with pytest.raises(ValueError, match="at least 2"):
        widest_interval([1.0], [0.1], 1)
    with pytest.raises(ValueError, match="differ in shape"):
        widest_interval([1.0, 2.0], [0.1], 5)


def test_degrees_of_freedom_of_a_sum_by_hand() -> None:
    assert combine_df([(1.0, 2.0), (1.0, 6.0)]) == pytest.approx(4 / (1 / 2 + 1 / 6))  # 6
    assert combine_df([(0.0, 2.0)]) == np.inf
