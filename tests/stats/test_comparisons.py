"""Paired differences, power, ties, ranks and improvement: by hand, and against other libraries."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestPower

from overopt.stats.comparisons.differences import (
    difference,
    not_paired,
    paired_by_prompt,
    paired_by_seed,
    within_worlds,
)
from overopt.stats.comparisons.hypervolume import hypervolume_weights
from overopt.stats.comparisons.improvement import performance_profile, probability_of_improvement
from overopt.stats.comparisons.parts import Paired
from overopt.stats.comparisons.power import smallest_seen
from overopt.stats.comparisons.ties import RankRange, letters, rank_ranges, tie_groups
from overopt.stats.crossed import around, crossed_interval
from overopt.stats.error_parts import (
    SMALLEST_P,
    ErrorPart,
    half_width,
    p_value,
)
from overopt.stats.intervals import adjust_holm
from overopt.stats.pools.fronts import Front, normalized_hypervolume


def test_pairing_by_seed_is_a_paired_t_test() -> None:
    x, y = np.array([0.9, 0.7, 0.8, 1.1, 0.6]), np.array([0.6, 0.5, 0.9, 0.7, 0.2])
    found = difference([paired_by_seed(x, y)])
    test = stats.ttest_rel(x, y)
    low, high = test.confidence_interval()
    assert (found.mean, found.p) == pytest.approx((0.24, test.pvalue))
    assert (found.low, found.high) == pytest.approx((low, high))
    (part,) = found.parts
    assert part == pytest.approx((np.var(x - y, ddof=1) / 5, 4))
    assert (found.paired_by, found.n_seeds, found.n_worlds) == ("seeds", 5, 1)
    assert not found.across_worlds


def test_equal_differences_have_no_test_whatever_they_round_to() -> None:
    y = np.array([0.1, 0.7, 0.4, 1.3, 2.6])
    for by in (0.3, 0.1):
        alike = difference([paired_by_seed(y + by, y)])
        assert alike.p is None and alike.mean == pytest.approx(by)
    across = difference([paired_by_seed(y + 0.3, y)] * 3)
    assert across.p is None


def test_one_seed_gives_no_test_by_seed_and_one_over_prompts_by_prompt() -> None:
    alone = difference([paired_by_seed([1.0], [0.5])])
    assert (alone.mean, alone.low, alone.se, alone.p) == (0.5, None, None, None)
    x, y = np.array([[0.5, 0.9, 0.3, 0.8]]), np.array([[0.1, 0.6, 0.4, 0.2]])
    found = difference([paired_by_prompt(x, y)])
    assert found.p == pytest.approx(stats.ttest_rel(x[0], y[0]).pvalue)
    assert found.paired_by == "prompts"


def test_pairing_by_prompt_by_hand() -> None:
    # x - y = [[1, 3], [2, 4]]: rows 2 and 3, columns 1.5 and 3.5, mean 2.5, no residual
    # MS_seed = 2 (0.25 + 0.25) = 1, MS_prompt = 2 (1 + 1) = 4, MS_res = 0
    # SE^2 = (1 + 4) / 4; both parts have t_1 = 12.7062, so that the interval is 2.5 +- 12.7062 SE
    x, y = np.array([[2.0, 4.0], [3.0, 5.0]]), np.ones((2, 2))
    found = difference([paired_by_prompt(x, y)])
    assert (found.mean, found.se) == pytest.approx((2.5, np.sqrt(1.25)))
    assert found.parts == (ErrorPart(0.25, 1), ErrorPart(1.0, 1))
    assert found.high == pytest.approx(2.5 + 12.7062047 * np.sqrt(1.25))
    # t_1 is a Cauchy distribution: p = 1 - 2 / pi arctan(t)
    assert found.p == pytest.approx(1 - 2 / np.pi * np.arctan(2.5 / np.sqrt(1.25)))
    assert found.paired_by == "seeds and prompts"


def test_each_part_of_an_error_has_its_own_critical_value() -> None:
    # t_4 = 2.776445 and t_60 = 2.000298 at 5 %
    parts = [ErrorPart(0.04, 4), ErrorPart(0.09, 60)]
    half = np.sqrt(2.776445**2 * 0.04 + 2.000298**2 * 0.09)
    assert half_width(parts, 0.05) == pytest.approx(half, rel=1e-6)
    assert p_value(half, parts) == pytest.approx(0.05, rel=1e-5)
    assert p_value(-half, parts) == pytest.approx(0.05, rel=1e-5)
    for alpha in (0.5, 1e-3, 1e-9):
        assert p_value(half_width(parts, alpha), parts) == pytest.approx(alpha, rel=1e-6)
    assert p_value(1e9, parts) == SMALLEST_P
    assert p_value(0.0, parts) == 1.0


def test_many_equal_parts_are_never_narrower_than_one_t() -> None:
    parts = [ErrorPart(0.01, 4)] * 3
    assert half_width(parts, 0.05) == pytest.approx(2.776445 * np.sqrt(0.03), rel=1e-6)


def test_what_both_methods_share_cancels() -> None:
    generator = np.random.default_rng(0)
    own = generator.normal(0.0, 0.1, (2, 5, 40))
    shared = generator.normal(0.0, 3.0, (5, 1)) + generator.normal(0.0, 3.0, (1, 40))
    alone = difference([paired_by_prompt(*own)])
    together = difference([paired_by_prompt(*(own + shared))])
    assert together.se == pytest.approx(alone.se)
    apart = difference([not_paired(*(crossed_interval(one + shared) for one in own))])
    assert apart.se is not None and alone.se is not None and apart.se > 10 * alone.se


def test_not_paired_adds_the_variances() -> None:
    # SE^2 = 0.09 + 0.16, all of it with the 4 degrees of freedom of 5 seeds
    found = difference([not_paired(around(1.0, 0.3, 4.0, (5, 20)), around(0.4, 0.4, 8.0, (5, 20)))])
    assert (found.mean, found.se) == pytest.approx((0.6, 0.5))
    assert found.p == pytest.approx(2 * stats.t.sf(0.6 / 0.5, 4))
    assert found.paired_by == "nothing"
    with pytest.raises(ValueError, match="5 and 3 seeds"):
        not_paired(around(1.0, 0.3, 4.0, (5, 20)), around(1.0, 0.3, 4.0, (3, 20)))


def test_world_means_are_the_unit_from_three_worlds_on() -> None:
    seeds = [np.array([1.0, 2.0, 3.0]), np.array([2.0, 3.0, 7.0]), np.array([0.0, 1.0, 5.0])]
    worlds = [paired_by_seed(one, np.zeros(3)) for one in seeds]
    found = difference(worlds)
    test = stats.ttest_1samp([2.0, 4.0, 2.0], 0.0)
    assert found.p == pytest.approx(test.pvalue)
    assert (found.n_worlds, found.n_seeds, found.across_worlds) == (3, 9, True)
    within = within_worlds(worlds)
    errors = [stats.sem(one) ** 2 for one in seeds]
    assert within.se == pytest.approx(np.sqrt(sum(errors)) / 3)
    assert [part.df for part in within.parts] == [2, 2, 2]
    two = difference(worlds[:2])
    assert two == within_worlds(worlds[:2]) and not two.across_worlds


def test_the_weakest_pairing_is_told_of_several_worlds() -> None:
    strong = paired_by_prompt(np.array([[1.0, 2.0], [3.0, 1.0]]), np.zeros((2, 2)))
    weak = Paired(1.0, (ErrorPart(0.01, 4),), "nothing", 2)
    assert difference([strong, weak]).paired_by == "nothing"


@pytest.mark.parametrize(
    ("values", "p"), [([0.0, 0.0, 0.0], 1.0), ([0.5, 0.5, 0.5], None)], ids=["same", "constant"]
)
def test_differences_without_spread(values: list[float], p: float | None) -> None:
    assert difference([paired_by_seed(values, [0.0] * 3)]).p == p


@pytest.mark.parametrize("n", [1, 3, 10, 91])
def test_holm_is_that_of_statsmodels(n: int) -> None:
    p = np.random.default_rng(n).beta(0.3, 1.0, n)
    p[: n // 3] = p[0]  # ties
    wanted = multipletests(p, method="holm")[1]
    assert adjust_holm(p) == pytest.approx(wanted, abs=1e-15)


@pytest.mark.parametrize(("n", "alpha"), [(5, 0.05), (8, 0.01), (30, 0.05 / 6)])
def test_power_is_that_of_statsmodels(n: int, alpha: float) -> None:
    wanted = TTestPower().solve_power(nobs=n, alpha=alpha, power=0.8) * np.sqrt(n)
    assert smallest_seen([ErrorPart(1.0, n - 1)], alpha) == pytest.approx(wanted, rel=1e-4)


def test_power_by_simulation() -> None:
    # a paired t test of 5 differences of SD 1 declares this difference in 80 % of studies
    delta = smallest_seen([ErrorPart(1 / 5, 4)], 0.05)
    x_N5 = np.random.default_rng(3).normal(delta, 1.0, (20_000, 5))
    seen = np.asarray(stats.ttest_1samp(x_N5, 0.0, axis=1).pvalue) <= 0.05
    assert seen.mean() == pytest.approx(0.8, abs=4 * np.sqrt(0.16 / 20_000))


def test_power_of_an_error_of_two_parts_by_simulation() -> None:
    generator = np.random.default_rng(4)
    true = [ErrorPart(0.04, 4), ErrorPart(0.03, 63)]
    delta, n = smallest_seen(true, 0.05 / 6), 4_000
    seen = 0
    for mean, *chances in zip(
        generator.normal(delta, np.sqrt(0.07), n),
        generator.chisquare(4, n) / 4,
        generator.chisquare(63, n) / 63,
        strict=True,
    ):
        parts = [ErrorPart(v * chance, df) for (v, df), chance in zip(true, chances, strict=True)]
        seen += mean > half_width(parts, 0.05 / 6)
    # the distribution of the limit is approximate
    assert seen / n == pytest.approx(0.8, abs=0.02 + 3 * np.sqrt(0.16 / n))


def test_power_without_error_and_with_few_degrees() -> None:
    assert smallest_seen([ErrorPart(0.0, 4)], 0.05) == 0.0
    assert smallest_seen([ErrorPart(1.0, 1)], 0.05 / 4950) > 1000
    with pytest.raises(ValueError, match="must be positive"):
        smallest_seen([ErrorPart(1.0, 0)], 0.05)


def _table(n: int, *differing: tuple[int, int]) -> np.ndarray:
    table = np.zeros((n, n), np.bool_)
    for one, other in differing:
        table[one, other] = True
    return table


def test_ties_are_not_transitive() -> None:
    # 0 and 2 differ, and 1 ties with both
    better = _table(3, (0, 2))
    groups = tie_groups(better | better.T)
    assert groups == [(0, 1), (1, 2)]
    assert letters(groups, 3) == ["a", "ab", "b"]
    assert rank_ranges(better) == [RankRange(1, 2), RankRange(1, 3), RankRange(2, 3)]


def test_all_tied_and_none_tied() -> None:
    assert letters(tie_groups(np.zeros((4, 4), bool)), 4) == ["a"] * 4
    better = _table(3, (0, 1), (0, 2), (1, 2))
    assert letters(tie_groups(better | better.T), 3) == ["a", "b", "c"]
    assert rank_ranges(better) == [RankRange(1, 1), RankRange(2, 2), RankRange(3, 3)]


def test_a_method_that_differs_from_all_is_alone() -> None:
    better = _table(4, (0, 1), (0, 2), (0, 3))
    assert tie_groups(better | better.T) == [(0,), (1, 2, 3)]


@pytest.mark.parametrize("seed", range(5))
def test_two_methods_share_a_letter_exactly_where_they_tie(seed: int) -> None:
    n = 30
    upper = np.triu(np.random.default_rng(seed).random((n, n)) < 0.4, 1)
    differs = upper | upper.T
    groups = tie_groups(differs)
    shown = [set(group) for group in groups]
    for one, other in combinations(range(n), 2):
        assert any({one, other} <= group for group in shown) == (not differs[one, other])
    for group in shown:  # maximal: nobody outside ties with all of it
        outside = set(range(n)) - group
        assert all(any(differs[one, two] for two in group) for one in outside)
    assert all(letters(groups, n))


def test_letters_do_not_run_out() -> None:
    singles: list[tuple[int, ...]] = [(m,) for m in range(30)]
    shown = letters(singles, 30)
    assert shown[25:28] == ["z", "(aa)", "(ab)"] and len(set(shown)) == 30


def test_what_is_no_table_of_decisions_is_refused() -> None:
    with pytest.raises(ValueError, match="symmetric"):
        tie_groups(_table(2, (0, 1)))
    with pytest.raises(ValueError, match="each be better"):
        rank_ranges(_table(2, (0, 1), (1, 0)))


def test_probability_of_improvement_by_hand() -> None:
    # 9 couples: 3 > 1, 3 > 2, 3 = 3 (half); 2 > 1, 2 = 2 (half), 2 < 3; 5 > all: 7.0
    assert probability_of_improvement([[3, 2, 5]], [[1, 2, 3]]) == pytest.approx(7 / 9)
    first = stats.mannwhitneyu([3, 2, 5], [1, 2, 3]).statistic / 9
    second = 1.5 / 4  # of [1, 0] against [0, 2]: 1 > 0 and half of 0 = 0
    both = probability_of_improvement([[3, 2, 5], [1, 0]], [[1, 2, 3], [0, 2]])
    assert both == pytest.approx((first + second) / 2)


def test_performance_profile_by_hand() -> None:
    share = performance_profile([[1.0, 2.0], [2.0, 3.0, 4.0, 5.0]], [0.0, 1.0, 2.0, 4.5, 5.0])
    assert share.tolist() == [1.0, 0.75, 0.375, 0.125, 0.0]


def test_hypervolume_is_a_weighted_sum_of_gold() -> None:
    generator = np.random.default_rng(0)
    oracle = Front(np.array([0.0, 2.0, 5.0, 10.0]), np.array([0.0, 2.0, 3.0, 4.0]))
    for _ in range(100):
        kl = generator.uniform(0.0, 10.0, 8).round(1)
        gold = generator.normal(0.5, 1.0, 8).round(1)
        weight = hypervolume_weights(kl, gold, oracle, 8.0)
        wanted = normalized_hypervolume(kl, gold, oracle, 8.0)
        assert weight @ gold == pytest.approx(wanted, abs=1e-12)
    # gold 1 from 1 nat and 3 from 4 nats on, to 8: 3 + 12 of 2 * 3 + 3 * 3 (the oracle)
    weight = hypervolume_weights([1.0, 4.0, 9.0], [1.0, 3.0, 7.0], oracle, 8.0)
    assert weight == pytest.approx(np.array([3.0, 4.0, 0.0]) / 15.0)
    assert hypervolume_weights([1.0], [-1.0], oracle, 8.0).tolist() == [0.0]


def _null(generator: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Methods by seeds by prompts without a difference, all of which have effects of their own."""
    n_methods, n_seeds, n_prompts = shape
    x_MSB = generator.normal(0, 0.3, shape)
    x_MSB += generator.normal(0, 0.5, n_prompts) + generator.normal(0, 0.1, (n_seeds, 1))
    x_MSB += generator.normal(0, 0.25, (n_methods, 1, n_prompts))
    return np.asarray(x_MSB + generator.normal(0, 0.15, (n_methods, n_seeds, 1)))


@pytest.mark.parametrize(("n_seeds", "n_methods"), [(5, 4), (3, 4), (5, 8)])
def test_size_of_the_family_and_coverage_with_both_random_effects(
    n_seeds: int, n_methods: int
) -> None:
    """Holm keeps any false difference to 5 %, and 95 % intervals cover 0, with 64 prompts.

    Satterthwaite's t in place of the parts makes 7 % of it with 5 seeds, and 14 % with 3.
    """
    generator = np.random.default_rng(11)
    n, family, covered = 400, 0, 0.0
    couples = list(combinations(range(n_methods), 2))
    for _ in range(n):
        x_MSB = _null(generator, (n_methods, n_seeds, 64))
        found = [difference([paired_by_prompt(x_MSB[a], x_MSB[b])]) for a, b in couples]
        covered += float(np.mean([abs(one.mean) <= one.mean - (one.low or 0) for one in found]))
        family += bool((adjust_holm([one.p or 0.0 for one in found]) <= 0.05).any())
    assert family / n <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / n)
    # tests of one study share methods: the error is that of as many tests as studies, at most
    assert covered / n >= 0.95 - 3 * np.sqrt(0.05 * 0.95 / n)
