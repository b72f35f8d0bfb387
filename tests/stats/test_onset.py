"""The onset of a flaw: by hand, and how often one is found where there is none."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats as scipy_stats

from overopt.stats.comparisons.onset import find_onset

BUDGETS = [0.5, 1.0, 2.0, 4.0, 8.0]


def test_p_values_are_those_of_a_one_sided_paired_test_times_holms_factors() -> None:
    rng = np.random.default_rng(0)
    plain_SK = rng.standard_normal((5, 3))
    flawed_SK = plain_SK + 0.2 * rng.standard_normal((5, 3)) - np.array([0.0, 0.3, 1.0])
    found = find_onset([1.0, 2.0, 4.0], flawed_SK, plain_SK)
    raw = [
        scipy_stats.ttest_rel(flawed_SK[:, k], plain_SK[:, k], alternative="less").pvalue
        for k in range(3)
    ]
    order = np.argsort(raw)
    expected = np.maximum.accumulate(np.array(raw)[order] * [3, 2, 1])
    assert np.array(found.p_K)[order] == pytest.approx(np.minimum(expected, 1.0))
    assert found.difference_K == pytest.approx((flawed_SK - plain_SK).mean(axis=0))
    assert found.kl_nats == 2.0 and found.n_seeds == 5


def test_the_same_runs_have_no_onset_nor_does_one_seed() -> None:
    plain_SK = np.random.default_rng(1).standard_normal((5, 5))
    same = find_onset(BUDGETS, plain_SK, plain_SK)
    assert same.kl_nats is None and same.p_K == (1.0,) * 5
    alone = find_onset(BUDGETS, plain_SK[:1] - 9, plain_SK[:1])
    assert alone.kl_nats is None and alone.p_K == (None,) * 5


@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_one_and_the_same_loss_in_all_seeds_has_no_p_value(seeds: int) -> None:
    """A standard error of 0, or of rounding, says nothing of chance; other budgets keep theirs."""
    rng = np.random.default_rng(5)
    whole_SK, plain_SK = np.ones((seeds, 5)), rng.standard_normal((seeds, 5))
    for plain, lost in ((whole_SK, 1.0), (plain_SK, 0.1)):
        found = find_onset(BUDGETS, plain - lost, plain)
        assert found.kl_nats is None and found.p_K == (None,) * 5
        assert found.difference_K == pytest.approx([-lost] * 5)
    flawed_SK = plain_SK - 0.1
    flawed_SK[:, 3] -= 3 + 1e-3 * rng.standard_normal(seeds)
    found = find_onset(BUDGETS, flawed_SK, plain_SK)
    raw = scipy_stats.ttest_rel(flawed_SK[:, 3], plain_SK[:, 3], alternative="less").pvalue
    assert found.kl_nats == 4.0
    assert [p is None for p in found.p_K] == [True, True, True, False, True]
    assert found.p_K[3] == pytest.approx(5 * raw)


def test_a_gain_is_no_onset() -> None:
    plain_SK = np.random.default_rng(2).standard_normal((5, 5))
    noise_SK = 0.01 * np.random.default_rng(3).standard_normal((5, 5))
    assert find_onset(BUDGETS, plain_SK + 1 + noise_SK, plain_SK).kl_nats is None


def test_simulated_onsets_are_where_gold_is_lost_and_seldom_where_it_is_not() -> None:
    """5 seeds, differences of SD 0.2 that hang together along KL; lost from 2 nats on, or not."""
    rng = np.random.default_rng(4)
    lost_K = np.array([0.0, 0.0, 0.6, 1.2, 1.8])
    none, right, early = 0, 0, 0
    studies = 400
    for _ in range(studies):
        plain_SK = rng.standard_normal((5, 5))
        noise_SK = 0.15 * rng.standard_normal((5, 1)) + 0.13 * rng.standard_normal((5, 5))
        none += find_onset(BUDGETS, plain_SK + noise_SK, plain_SK).kl_nats is not None
        found = find_onset(BUDGETS, plain_SK + noise_SK - lost_K, plain_SK).kl_nats
        right += found in (2.0, 4.0)
        early += found in (0.5, 1.0)
    assert none <= 0.05 * studies + 2 * (0.05 * 0.95 * studies) ** 0.5
    assert early <= 0.06 * studies
    assert right >= 0.9 * studies


@pytest.mark.parametrize(
    ("budgets", "shape"), [([2.0, 1.0], (3, 2)), ([1.0, 2.0, 3.0], (3, 2)), ([1.0], (3,))]
)
def test_what_is_no_table_along_budgets_is_refused(
    budgets: list[float], shape: tuple[int, ...]
) -> None:
    with pytest.raises(ValueError, match="seeds, budgets"):
        find_onset(budgets, np.zeros(shape), np.zeros(shape))
