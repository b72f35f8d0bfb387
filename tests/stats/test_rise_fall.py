"""Peak and end: literals, planted curves, and how often a flat curve is told to fall."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
import pytest
from scipy.special import stdtrit

from overopt.stats.arrays import Floats
from overopt.stats.crossed import crossed_error, mean_squares
from overopt.stats.intervals import t_interval
from overopt.stats.rise_fall import Budgets, PeakAndEnd, common_budgets, peak_and_end


def along(gold_SKB: Floats) -> Budgets:
    """Budgets 0, 1, 2 ... nats, each overshot by a tenth by every seed that reached it."""
    target_K = np.arange(gold_SKB.shape[1], dtype=np.float64)
    reached_SK = ~np.isnan(gold_SKB).all(axis=2)
    return Budgets(gold_SKB, np.where(reached_SK, 1.1 * target_K, np.nan), target_K)


def draw(
    generator: np.random.Generator,
    mean_K: Sequence[float],
    n_seeds: int,
    n_prompts: int,
    seed_noise: float = 0.15,
) -> Floats:
    """Gold with prompt effects, prompt-by-budget effects that all seeds share, and seed noise."""
    n_budgets = len(mean_K)
    return np.asarray(
        np.array(mean_K)[None, :, None]
        + generator.normal(size=(1, 1, n_prompts))
        + 0.7 * generator.normal(size=(1, n_budgets, n_prompts))
        + seed_noise * generator.normal(size=(n_seeds, n_budgets, 1))
        + 0.7 * generator.normal(size=(n_seeds, n_budgets, n_prompts))
    )


def test_peak_end_and_fall_on_literals() -> None:
    gold = np.zeros((2, 5, 4))
    gold[:, 0] = [1.0, 2.0, 3.0, 4.0]  # prompts differ before anything is optimized
    gain_SK = np.array([[0.5, 2.0, 1.0, 9.0], [0.5, 4.0, 2.0, 9.0]])
    gold[:, 1:] = gold[:, :1] + gain_SK[:, :, None]
    gold[1, 4] = np.nan  # seed 1 stopped at budget 3
    budgets = along(gold)
    kl_SK = np.array(budgets.kl_SK)
    kl_SK[:, 2] = 1.8, 2.1
    found = peak_and_end(budgets._replace(kl_SK=kl_SK))
    assert found.choices_nats == (2.0, 2.0, 2.0, 2.0)
    assert found.n_agreeing == 4
    assert (found.peak.kl_target_nats, found.peak.kl_nats) == pytest.approx((2.0, 1.95))
    assert (found.end.kl_target_nats, found.end.kl_nats) == pytest.approx((3.0, 3.3))
    assert found.peak.gold.mean == pytest.approx((2.0 + 4.0) / 2)
    assert found.end.gold.mean == pytest.approx((1.0 + 2.0) / 2)
    assert found.fall.mean == pytest.approx((1.0 - 2.0 + 2.0 - 4.0) / 2)
    assert found.fall.n_seeds == 2
    assert found.fall.n_prompts == 4
    # seeds alone differ: MS_seed = 4 (0.5^2 + 0.5^2) = 2, so SE^2 = 2 / 8 with 1 degree of freedom
    assert (found.fall.se, found.fall.df) == pytest.approx((0.5, 1.0))
    assert found.exploratory
    assert not found.peaks_at_end


def test_choices_that_differ_are_read_where_each_was_made() -> None:
    """Seeds disagree: each is read at the other's peak, and the shown budget is one of them."""
    gold = np.zeros((2, 4, 4))
    gold[0, 1:] = [[5.0], [1.0], [0.0]]
    gold[1, 1:] = [[2.0], [7.0], [0.0]]
    found = peak_and_end(along(gold))
    assert found.choices_nats == (2.0, 2.0, 1.0, 1.0)
    assert found.peak.kl_target_nats == 1.0  # the lower median
    assert found.n_agreeing == 2
    assert found.peak.gold.mean == pytest.approx((1.0 + 2.0) / 2)
    assert found.peak.kl_nats == pytest.approx((2.2 + 1.1) / 2)


def test_halves_choose_for_each_other() -> None:
    """One seed whose even prompts peak at budget 1 and whose odd prompts at budget 2."""
    gold = np.zeros((1, 4, 6))
    gold[0, 1, ::2], gold[0, 1, 1::2] = 3.0, 1.0
    gold[0, 2, ::2], gold[0, 2, 1::2] = 0.5, 2.0
    found = peak_and_end(along(gold))
    assert found.choices_nats == (2.0, 1.0)  # even prompts are read at 2, odd ones at 1
    assert found.peak.gold.mean == pytest.approx((0.5 + 1.0) / 2)


def test_halves_of_different_size_weigh_as_their_prompts() -> None:
    gold = np.zeros((1, 3, 5))
    gold[0, 1, ::2], gold[0, 1, 1::2] = 3.0, 1.0
    gold[0, 2, ::2], gold[0, 2, 1::2] = 0.5, 2.0
    found = peak_and_end(along(gold))
    assert found.peak.gold.mean == pytest.approx((3 * 0.5 + 2 * 1.0) / 5)
    assert found.peak.kl_nats == pytest.approx((3 * 2.2 + 2 * 1.1) / 5)


def test_one_seed_takes_the_two_halves_for_correlated() -> None:
    gold = draw(np.random.default_rng(8), [0.0, 1.5, -1.0], 1, 80)
    found = peak_and_end(along(gold))
    rise_B = (gold[0, 1] - gold[0, 0]).reshape(40, 2)
    halves = [t_interval(rise_B[:, half]).se for half in (0, 1)]
    assert halves[0] is not None and halves[1] is not None
    assert found.peak.gold.mean == pytest.approx(rise_B.mean())
    assert found.peak.gold.se == pytest.approx((halves[0] + halves[1]) / 2)
    assert found.peak.gold.df == 39
    assert found.peak.gold.over == found.end.gold.over == "prompts"
    assert found.end.gold.df == 79
    assert found.rises
    assert found.falls
    assert found.exploratory


def test_a_peak_at_the_end_has_no_fall() -> None:
    gold = draw(np.random.default_rng(9), [0.0, 0.5, 1.0, 2.5], 5, 60)
    found = peak_and_end(along(gold))
    assert found.peaks_at_end
    assert found.rises
    assert not found.falls
    assert found.fall.mean == 0.0
    assert found.peak.gold.mean == found.end.gold.mean


def test_a_planted_rise_and_fall_is_found() -> None:
    gold = draw(np.random.default_rng(4), [0.0, 0.6, 1.2, 1.0, 0.2], 5, 60)
    found = peak_and_end(along(gold))
    assert found.rises
    assert found.falls
    assert set(found.choices_nats) <= {2.0, 3.0}
    assert len(found.choices_nats) == 10
    assert found.peak.gold.mean == pytest.approx(1.2, abs=0.35)
    assert found.fall.mean == pytest.approx(-1.0, abs=0.35)
    assert found.peak.gold.mean + found.fall.mean == pytest.approx(found.end.gold.mean)
    assert not found.exploratory


def test_gold_at_the_peak_is_not_the_highest_of_several_means() -> None:
    """On flat curves the highest mean is far above 0, gold at the peak is 0 on average."""
    generator = np.random.default_rng(6)
    peaks, highest = [], []
    for _ in range(400):
        gold = draw(generator, [0.0] * 7, 3, 12)
        peaks.append(peak_and_end(along(gold), generator).peak.gold.mean)
        highest.append((gold - gold[:, :1]).mean(axis=(0, 2))[1:].max())
    error = np.std(peaks) / np.sqrt(len(peaks))
    assert abs(np.mean(peaks)) < 3 * error
    assert np.mean(highest) > 10 * error


def falls(gold_RSKB: Floats) -> Floats:
    """The fall (R, S, B) by the definition, one fold after the other, many runs at once."""
    gain = gold_RSKB - gold_RSKB[:, :, :1]
    n_seeds, n_prompts = gain.shape[1], gain.shape[3]
    fall = np.empty((len(gain), n_seeds, n_prompts))
    for seed in range(n_seeds):
        others = [other for other in range(n_seeds) if other != seed] or [seed]
        for half in (0, 1):
            there, elsewhere = slice(half, None, 2), slice(1 - half, None, 2)
            mean_RK = gain[:, others, 1:, elsewhere].mean(axis=(1, 3))
            peak_R = 1 + mean_RK.argmax(axis=1)
            at_peak_RB = gain[np.arange(len(gain)), seed, peak_R, there]
            fall[:, seed, there] = gain[:, seed, -1, there] - at_peak_RB
    return fall


def test_the_definition_by_another_road() -> None:
    generator = np.random.default_rng(11)
    gold_RSKB = np.stack([draw(generator, [0.0, 0.3, 0.4, 0.1], 4, 15) for _ in range(10)])
    for gold, fall in zip(gold_RSKB, falls(gold_RSKB), strict=True):
        found = peak_and_end(along(gold))
        variance, df = crossed_error(mean_squares(fall), 4, 15)
        assert found.fall.mean == pytest.approx(fall.mean())
        assert (found.fall.se, found.fall.df) == pytest.approx((float(variance) ** 0.5, float(df)))


N_RUNS = 2000


@cache
def flat_falls(n_seeds: int, n_prompts: int, seed_noise: float) -> Floats:
    generator = np.random.default_rng([n_seeds, n_prompts])
    gold = [draw(generator, [0.0] * 7, n_seeds, n_prompts, seed_noise) for _ in range(N_RUNS)]
    return falls(np.stack(gold))


def share_crossed(fall_RSB: Floats) -> float:
    """Share of runs whose crossed 95 % interval of the fall lies below 0."""
    _, n_seeds, n_prompts = fall_RSB.shape
    variance, df = crossed_error(mean_squares(fall_RSB), n_seeds, n_prompts)
    high = fall_RSB.mean(axis=(1, 2)) + stdtrit(df, 0.975) * np.sqrt(variance)
    return float(np.mean(high < 0.0))


def share_of_both(fall_RSB: Floats) -> float:
    """The same where an interval over seeds and one over prompts must both lie below 0."""
    below = np.ones(len(fall_RSB), np.bool_)
    for axis in (1, 2):
        x = fall_RSB.mean(axis=axis)
        n = x.shape[1]
        se = x.std(axis=1, ddof=1) / np.sqrt(n)
        below &= x.mean(axis=1) + stdtrit(n - 1, 0.975) * se < 0.0
    return float(np.mean(below))


@pytest.mark.parametrize(("n_seeds", "n_prompts"), [(3, 30), (5, 30), (5, 60), (10, 60)])
def test_flat_curves_rarely_fall(n_seeds: int, n_prompts: int) -> None:
    # nominal 2.5 %; what is known is at most 4.5 %, and three Monte Carlo standard errors (1.4 %)
    limit = 0.045 + 3 * np.sqrt(0.045 * 0.955 / N_RUNS)
    assert 0.01 < share_crossed(flat_falls(n_seeds, n_prompts, 0.15)) < limit


def test_two_one_way_intervals_let_more_flat_curves_fall() -> None:
    """Ten seeds, 60 prompts: 4 % of flat curves against 6 %; either variance alone is too little.

    The runs are the same, so that the difference is more certain than either share.
    """
    fall_RSB = flat_falls(10, 60, 0.15)
    crossed, both = share_crossed(fall_RSB), share_of_both(fall_RSB)
    assert both > crossed + 0.008


def test_one_seed_is_conservative() -> None:
    generator = np.random.default_rng(1)
    found = [
        peak_and_end(along(draw(generator, [0.0] * 7, 1, 30, 0.0)), generator) for _ in range(700)
    ]
    # nominal 2.5 %, and three Monte Carlo standard errors (1.8 %)
    limit = 0.025 + 3 * np.sqrt(0.025 * 0.975 / 700)
    assert sum(one.falls for one in found) / 700 < limit
    assert sum(one.rises for one in found) / 700 < limit


def test_prompts_are_split_by_the_generator() -> None:
    gold = draw(np.random.default_rng(2), [0.0, 0.1, 0.1, 0.1], 2, 20)

    def split(seed: int) -> PeakAndEnd:
        return peak_and_end(along(gold), np.random.default_rng(seed))

    assert split(0) == split(0)
    assert len({split(seed).peak.gold.mean for seed in range(5)}) > 1


def test_budgets_common_to_all_are_kept() -> None:
    first, second = np.zeros((1, 4, 4)), np.zeros((2, 4, 4))
    second[1, 2] = np.nan
    tables = common_budgets([along(first), along(second)])
    assert [table.kl_target_K.tolist() for table in tables] == [[0.0, 1.0, 3.0]] * 2
    assert [table.gold_SKB.shape for table in tables] == [(1, 3, 4), (2, 3, 4)]


def test_what_makes_no_sense_is_refused() -> None:
    budgets = along(np.zeros((2, 3, 4)))
    gold = np.zeros((2, 3, 4))
    gold[0, 1, 0] = np.nan
    with pytest.raises(ValueError, match="all prompts"):
        peak_and_end(budgets._replace(gold_SKB=gold))
    gold[0, 1:] = np.nan
    with pytest.raises(ValueError, match="no budget"):
        peak_and_end(along(gold))
    gold[0] = np.nan
    with pytest.raises(ValueError, match="initial policy"):
        peak_and_end(along(gold))
    with pytest.raises(ValueError, match="shape"):
        peak_and_end(budgets._replace(gold_SKB=np.zeros((2, 3, 3))))
    with pytest.raises(ValueError, match="ascend"):
        peak_and_end(budgets._replace(kl_target_K=[0.0, 2.0, 1.0]))
    with pytest.raises(ValueError, match="ascend"):
        peak_and_end(budgets._replace(kl_target_K=[0.5, 1.0, 2.0]))
    with pytest.raises(ValueError, match="infinite"):
        peak_and_end(budgets._replace(gold_SKB=np.full((2, 3, 4), np.inf)))
    with pytest.raises(ValueError, match="NaN for KL"):
        peak_and_end(budgets._replace(kl_SK=[[0.0, 1.0, np.nan], [0.0, 1.0, 2.0]]))
    with pytest.raises(ValueError, match="differ in shape"):
        peak_and_end(budgets._replace(kl_SK=np.zeros((2, 2))))
    with pytest.raises(ValueError, match="no world"):
        common_budgets([])
    with pytest.raises(ValueError, match="different budgets"):
        common_budgets([budgets, budgets._replace(kl_target_K=[0.0, 1.0, 3.0])])
