"""Means over worlds: both intervals by hand, and which of them covers what."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import stdtrit

from overopt.stats.crossed import Crossed, around, crossed_interval
from overopt.stats.intervals import Interval
from overopt.stats.rise_fall import Budgets, peak_and_end
from overopt.stats.world_means import over_worlds
from overopt.stats.worlds import peak_and_end_in_worlds


def world(mean: float, se: float = 0.1, df: float = 4.0, n_seeds: int = 5) -> Crossed:
    return around(mean, se, df, (n_seeds, 20))


def test_both_intervals_by_hand() -> None:
    # across: means 1, 2, 3, sd 1, SE 1 / sqrt(3), t_2 = 4.30265
    # within: SE^2 = (0.09 + 0.16 + 0.25) / 9, df = 0.5^2 / (0.09^2 / 4 + 0.16^2 / 8 + 0.25^2 / 2)
    found = over_worlds([world(1.0, 0.3, 4.0), world(2.0, 0.4, 8.0), world(3.0, 0.5, 2.0)])
    assert found.across.mean == found.within.mean == 2.0
    assert found.across.high == pytest.approx(2.0 + 4.30265273 / np.sqrt(3))
    assert found.within.se == pytest.approx(np.sqrt(0.5) / 3)
    df = 0.25 / (0.0081 / 4 + 0.0256 / 8 + 0.0625 / 2)  # 6.854
    assert found.within.high == pytest.approx(2.0 + stdtrit(df, 0.975) * np.sqrt(0.5) / 3)
    assert found.across.n == found.within.n == 3
    assert found.n_seeds == 15
    assert found.decisive == found.across


def test_two_worlds_have_no_interval_across() -> None:
    found = over_worlds([world(1.0), world(2.0)])
    assert (found.across.mean, found.across.low, found.across.se) == (1.5, None, None)
    assert found.within.low is not None
    assert found.decisive == found.within


def test_one_world_keeps_its_own_interval() -> None:
    one = world(1.0)
    found = over_worlds([one])
    assert (found.within.low, found.within.high) == pytest.approx((one.low, one.high))


def test_a_world_without_an_interval_leaves_none_within() -> None:
    found = over_worlds([world(1.0), crossed_interval([[3.0]])])
    assert (found.within.mean, found.within.low) == (2.0, None)


def test_worlds_without_spread_have_no_width() -> None:
    found = over_worlds([world(1.0, 0.0, np.inf)] * 3)
    assert (found.within.low, found.within.high) == (1.0, 1.0)


def test_what_cannot_be_combined_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one world"):
        over_worlds([])
    with pytest.raises(ValueError, match="one level"):
        over_worlds([world(1.0), around(1.0, 0.1, 4.0, (5, 20), 0.9)])


def holds(interval: Interval, truth: float) -> bool:
    assert interval.low is not None
    assert interval.high is not None
    return interval.low <= truth <= interval.high


def test_only_the_interval_across_worlds_covers_what_holds_in_any_world() -> None:
    """Worlds that differ more than seeds and prompts do: nominal 95 %, 4 worlds, 600 runs."""
    generator, n_runs = np.random.default_rng(0), 600
    across = within = these = 0
    for _ in range(n_runs):
        truth_W = 0.5 * generator.normal(size=4)
        tables = [
            truth
            + 0.2 * generator.normal(size=(5, 1))
            + 0.7 * generator.normal(size=(1, 30))
            + 0.7 * generator.normal(size=(5, 30))
            for truth in truth_W
        ]
        found = over_worlds([crossed_interval(table) for table in tables])
        across += holds(found.across, 0.0)
        within += holds(found.within, 0.0)
        these += holds(found.within, float(truth_W.mean()))
    error = 3 * np.sqrt(0.95 * 0.05 / n_runs)  # three Monte Carlo standard errors: 2.7 %
    assert abs(across / n_runs - 0.95) < error
    assert abs(these / n_runs - 0.95) < error
    assert within / n_runs < 0.8


def budgets(gain_SK: list[list[float]]) -> Budgets:
    """Gold that is the same for all of six prompts; NaN where a budget was missed."""
    gold_SK = np.array([[0.0, *row] for row in gain_SK])
    target_K = np.array([0.0, 1.0, 2.0, 4.0])
    kl_SK = np.where(np.isnan(gold_SK), np.nan, 1.1 * target_K)
    return Budgets(np.repeat(gold_SK[:, :, None], 6, axis=2), kl_SK, target_K)


def test_peak_and_end_over_worlds_on_literals() -> None:
    first = budgets([[1.0, 3.0, 2.0], [1.0, 3.0, 2.0]])
    second = budgets([[2.0, 1.0, np.nan], [2.0, 1.0, 9.0]])  # one seed misses the last budget
    third = budgets([[4.0, 2.0, 0.0], [4.0, 2.0, 0.0]])
    found = peak_and_end_in_worlds([first, second, third])
    assert [one.peak.kl_target_nats for one in found.worlds] == [2.0, 1.0, 1.0]
    assert {one.end.kl_target_nats for one in found.worlds} == {2.0}  # the common end
    assert found.end_kl_target_nats == 2.0
    assert found.end_kl_nats == pytest.approx(2.2)
    assert found.peak_kl_target_nats == 1.0
    assert found.peak_kl_nats == pytest.approx((2.2 + 1.1 + 1.1) / 3)
    assert found.peak.across.mean == pytest.approx((3.0 + 2.0 + 4.0) / 3)
    assert found.end.across.mean == pytest.approx((3.0 + 1.0 + 2.0) / 3)
    assert found.fall.across.mean == pytest.approx((0.0 - 1.0 - 2.0) / 3)
    assert found.peak.n_seeds == 6
    assert found.worlds[2] == peak_and_end(
        third._replace(
            gold_SKB=np.asarray(third.gold_SKB)[:, :3],
            kl_SK=np.asarray(third.kl_SK)[:, :3],
            kl_target_K=[0.0, 1.0, 2.0],
        )
    )


def test_every_world_is_split_by_its_own_generator() -> None:
    generator = np.random.default_rng(3)
    noisy = [
        budgets([[1.0, 3.0, 2.0]] * 2)._replace(gold_SKB=generator.normal(size=(2, 4, 6)))
        for _ in range(3)
    ]
    found = peak_and_end_in_worlds(noisy, [np.random.default_rng(seed) for seed in range(3)])
    alone = tuple(peak_and_end(one, np.random.default_rng(seed)) for seed, one in enumerate(noisy))
    assert found.worlds == alone
    with pytest.raises(ValueError, match="argument"):
        peak_and_end_in_worlds(noisy, [generator])
