"""Stops and limits by hand, and that nothing is read where its limit was set."""

from __future__ import annotations

import numpy as np
import pytest

from overopt.stats.arrays import Floats
from overopt.stats.monitoring.stopping import (
    best_limit,
    candidate_limits,
    lead_of,
    own_best,
    run_to_end,
    stop_at,
    stop_runs,
)
from overopt.stats.rise_fall import Budgets, ReachedBudgets, common_budgets, fixed_split, read_peaks


def budgets_of(gold_SKB: Floats) -> ReachedBudgets:
    """Looks at 1, 4, 9 ... nats, the same for all seeds, behind an initial policy of gold 0."""
    seeds, looks, prompts = gold_SKB.shape
    gold = np.concatenate([np.zeros((seeds, 1, prompts)), gold_SKB], axis=1)
    target = np.arange(looks + 1.0) ** 2
    return common_budgets([Budgets(gold, np.tile(target, (seeds, 1)), target)])[0]


def flat(gold_SK: list[list[float]], prompts: int = 4) -> Floats:
    """Gold that is the same for all prompts."""
    return np.repeat(np.array(gold_SK)[:, :, None], prompts, axis=2)


def test_a_run_stops_at_the_first_value_above_its_limit() -> None:
    value = [[0.1, 0.5, 0.4, 0.9], [np.nan, 0.2, 0.2, 0.2]]
    stops = stop_at(value, [0.4, 0.2])
    assert stops.column_S.tolist() == [1, 3] and stops.rang_S.tolist() == [True, False]
    assert stop_at(value, [-np.inf, np.inf]).column_S.tolist() == [0, 3]
    assert stop_at(value, [-np.inf, -np.inf]).column_S.tolist() == [0, 1]  # NaN rings nowhere


def test_candidates_are_all_limits_that_differ() -> None:
    assert candidate_limits([[1.0, 3.0], [np.nan, 3.0]]).tolist() == [-np.inf, 2.0, np.inf]


def test_the_best_limit_keeps_the_most_gold_and_of_equals_is_the_highest() -> None:
    # limits: -inf keeps 1, 1; 1.5 keeps 3, 2; 2.5 keeps 0, 2; inf keeps 0, 0
    gold, value = [[1.0, 3.0, 0.0], [1.0, 2.0, 0.0]], [[1.0, 2.0, 2.0], [1.0, 2.0, 3.0]]
    assert best_limit(value, gold) == 1.5
    assert best_limit([[1.0, 2.0]], [[5.0, 5.0]]) == np.inf


def test_limits_come_from_the_other_seeds_and_regret_is_the_gold_that_is_lost() -> None:
    # Seed 0 peaks at look 1, seed 1 at look 2; each statistic jumps to 1 right there.
    gold = flat([[2.0, 1.0, 0.0], [1.0, 3.0, 0.0]])
    value = [[1.0, 1.0, 1.0], [0.0, 1.0, 1.0]]
    found = stop_runs(budgets_of(gold), value)
    # limits by the other seed: of seed 1 for seed 0, 0.5; of seed 0 for seed 1: no jump, so that
    # -inf keeps 2 and inf keeps 0: -inf, which stops seed 1 at its first look
    assert found.limit_S.tolist() == [0.5, -np.inf]
    assert found.limit_S2.tolist() == [[0.5, 0.5], [-np.inf, -np.inf]]
    assert found.column_S2.tolist() == [[0, 0], [0, 0]] and found.rang_S2.all()
    # the peak of each seed is where the other one peaks: 1.0 for seed 0, 1.0 for seed 1
    assert found.peak_S2.tolist() == [[1, 1], [0, 0]]
    assert found.regret_SB[:, 0].tolist() == [1.0 - 2.0, 1.0 - 1.0]
    assert found.regret.mean == -0.5
    lead = lead_of(found, [[1.0, 4.0, 9.0]] * 2, [[10, 20, 30]] * 2)
    assert lead.d_S.tolist() == [1.0, 0.0] and lead.steps_S.tolist() == [10.0, 0.0]


def test_runs_that_nothing_stops_lose_the_fall_and_the_best_stop_gains_on_one_peak() -> None:
    gold = flat([[2.0, 1.0, 0.0], [1.0, 3.0, 0.0]])
    assert run_to_end(budgets_of(gold)).mean == 1.0  # (1 - 0 + 1 - 0) / 2
    assert own_best(budgets_of(gold)).mean == -1.5  # (1 - 2 + 1 - 3) / 2
    silent = stop_runs(budgets_of(gold), np.full((2, 3), np.nan))
    assert not silent.rang_S2.any() and silent.regret.mean == 1.0
    lead = lead_of(silent, [[1.0, 4.0, 9.0]] * 2, [[10, 20, 30]] * 2)
    assert np.isnan(lead.d_S).all() and np.isnan(lead.steps_S).all()


def test_a_threshold_of_the_budget_itself_is_the_peak() -> None:
    """KL that is the same for all seeds names the looks, so that its best stop is the peak."""
    gold = np.random.default_rng(3).normal(size=(5, 6, 20))
    budgets = budgets_of(gold)
    found = stop_runs(budgets, budgets.kl_SK[:, 1:])
    assert np.array_equal(found.column_S2, found.peak_S2)
    assert np.abs(found.regret_SB).max() == 0.0
    peak = read_peaks(Budgets(*budgets), fixed_split())
    assert np.array_equal(found.in_half_B, peak.in_half_B)


def test_gold_of_a_seed_moves_no_limit_of_its_own() -> None:
    generator = np.random.default_rng(0)
    gold, value = generator.normal(size=(4, 5, 8)), generator.normal(size=(4, 5))
    before = stop_runs(budgets_of(gold), value)
    gold[2] = generator.normal(size=(5, 8))
    after = stop_runs(budgets_of(gold), value)
    assert np.array_equal(before.limit_S2[2], after.limit_S2[2])
    assert before.limit_S[2] == after.limit_S[2]


def test_gold_of_a_half_moves_no_limit_that_the_half_is_read_under() -> None:
    generator = np.random.default_rng(1)
    gold, value = generator.normal(size=(4, 5, 8)), generator.normal(size=(4, 5))
    before = stop_runs(budgets_of(gold), value)
    gold[:, :, before.in_half_B == 0] += generator.normal(size=(4, 5, 4))
    after = stop_runs(budgets_of(gold), value)
    assert np.array_equal(before.limit_S2[:, 0], after.limit_S2[:, 0])


def test_one_seed_has_no_others_to_set_its_limit() -> None:
    with pytest.raises(ValueError, match="at least 2"):
        stop_runs(budgets_of(flat([[1.0, 2.0]])), [[1.0, 2.0]])


@pytest.mark.slow
def test_intervals_of_differences_between_monitors_cover() -> None:
    """Two statistics that know nothing have the same regret; 95 % of intervals hold 0."""
    generator = np.random.default_rng(0)
    covered = total = 0
    for _ in range(1000):
        seeds, looks, prompts = 5, 8, 16
        rise_K = np.linspace(0, 2, looks) - np.linspace(0, 1.5, looks) ** 2
        gold = rise_K[None, :, None] + generator.normal(size=(seeds, 1, prompts)) * 0.5
        gold = gold + np.cumsum(generator.normal(size=(seeds, looks, 1)) * 0.15, axis=1)
        gold = gold + generator.normal(size=(seeds, looks, prompts)) * 0.3
        budgets = budgets_of(gold)
        one, two = (
            stop_runs(budgets, np.cumsum(generator.exponential(size=(seeds, looks)), axis=1))
            for _ in range(2)
        )
        from overopt.stats.rise_fall import cross_fitted

        gap = cross_fitted(one.regret_SB - two.regret_SB, one.in_half_B)
        assert gap.low is not None and gap.high is not None
        covered += gap.low <= 0.0 <= gap.high
        total += 1
    print(covered, total)
    assert covered / total >= 0.93
