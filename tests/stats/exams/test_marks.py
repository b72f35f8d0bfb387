"""Marks by hand, and of a score that knows gold, one that knows nothing, and a constant."""

from __future__ import annotations

import numpy as np
import pytest

from overopt.stats.exams.averages import BEST, RANDOM, WORST, orders_of, pairs_of, uniform
from overopt.stats.exams.marks import agreement, all_wins, mean_wins, preferred


def test_all_must_win_against_the_mean_over_pairs() -> None:
    # two right, two wrong: 4 3 | 2 1 wins all; 4 1 | 2 0 loses one of four; 4 2 | 2 0 ties one
    score = np.array([[4.0, 3.0, 2.0, 1.0], [4.0, 1.0, 2.0, 0.0], [4.0, 2.0, 2.0, 0.0]])
    assert tuple(all_wins(score, 2)) == pytest.approx(((1 + 0 + 0.5) / 3, 3))
    assert tuple(mean_wins(score, 2)) == pytest.approx(((4 + 3 + 3.5) / 12, 3))


def test_agreement_leaves_out_pairs_of_equal_gold() -> None:
    # gold 1 1 0: two pairs differ; scores 2 1 1 win one and tie one
    assert agreement(np.array([[2.0, 1.0, 1.0]]), np.array([[1.0, 1.0, 0.0]])) == (0.75, 2)
    assert agreement(np.array([[2.0, 1.0]]), np.array([[1.0, 1.0]])) is None
    assert preferred(np.array([1.0, -1.0, 0.0, 2.0])) == (0.625, 4)
    assert preferred(np.zeros(0)) is None


def test_a_perfect_score_a_random_one_and_a_constant() -> None:
    generator = np.random.default_rng(0)
    gold = generator.normal(size=(20_000, 4))
    gold[:, :2] += 10.0
    assert all_wins(gold, 2)[0] == mean_wins(gold, 2)[0] == 1.0
    found = agreement(gold, gold)
    assert found is not None and found.value == 1.0
    chance = generator.normal(size=gold.shape)
    assert mean_wins(chance, 2)[0] == pytest.approx(0.5, abs=0.01)
    assert all_wins(chance[:, :2], 1)[0] == pytest.approx(0.5, abs=0.01)
    # two of two: both are above both others in 2! 2! / 4! of the orders
    assert all_wins(chance, 2)[0] == pytest.approx(1 / 6, abs=0.01)
    at_random = agreement(chance, gold)
    assert at_random is not None and at_random.value == pytest.approx(0.5, abs=0.01)
    constant = np.zeros_like(gold)
    assert all_wins(constant, 2)[0] == mean_wins(constant, 2)[0] == 0.5


def test_shares_of_members() -> None:
    first, second = pairs_of(5, 0.25)
    assert first.tolist() == [0.75, 0.25, 0, 0, 0]
    assert second.tolist() == [0, 0, 0.75, 0.25, 0]
    assert uniform([2, 0], 4).tolist() == [0.5, 0, 0.5, 0]


def test_orders_go_by_accuracy() -> None:
    found = orders_of([0.6, 0.8, 0.6, 0.7], np.random.default_rng(0))
    assert found[BEST] == [1, 3, 0, 2] and found[WORST] == [2, 0, 3, 1]
    assert sorted(found[RANDOM]) == [0, 1, 2, 3]
