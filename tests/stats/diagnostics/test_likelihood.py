"""Rankings by likelihood, by hand and on an enumerated policy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, softmax

from overopt.stats.diagnostics.likelihood import (
    PairLikelihoods,
    ideal_ranks_right,
    length_r2,
    ranking_accuracy_of,
    ranks_right,
)


def test_a_pair_is_right_where_the_chosen_response_is_likelier() -> None:
    right_P = ranks_right(
        PairLikelihoods(np.array([-3.0, -2.0, -1.0]), np.array([-4.0, -2.0, 0.0]))
    )
    assert right_P.tolist() == [True, False, False]  # a tie is no ranking
    assert ranking_accuracy_of(right_P).mean == pytest.approx(1 / 3)


def test_the_ideal_ranking_is_that_of_the_tilted_reference() -> None:
    """Where every response is listed: pi_ref exp(r / beta) itself ranks the same pairs right."""
    rng = np.random.default_rng(0)
    beta, reward_N, reference_N = 0.3, rng.normal(size=9), rng.normal(size=9) * 3
    tilted_N = np.log(softmax(reference_N + reward_N / beta))
    one, other = np.triu_indices(9, 1)
    best = np.where(reward_N[one] > reward_N[other], one, other)
    worst = one + other - best
    ideal_P = ideal_ranks_right(
        PairLikelihoods(reference_N[best], reference_N[worst]),
        expit(reward_N[best] - reward_N[worst]),
        beta,
    )
    np.testing.assert_array_equal(ideal_P, tilted_N[best] > tilted_N[worst])
    assert 0 < ideal_P.mean() < 1


def test_the_threshold_of_the_theorem() -> None:
    """A reference that prefers the rejected response by 5 nats, beta .1: alpha must pass .6225."""
    pair = PairLikelihoods(np.array([-5.0, -5.0]), np.array([0.0, 0.0]))
    edge = expit(0.5)
    assert ideal_ranks_right(pair, [edge - 1e-6, edge + 1e-6], 0.1).tolist() == [False, True]


@pytest.mark.parametrize(("alpha", "beta"), [(1.0, 0.1), (0.0, 0.1), (0.5, 0.0)])
def test_what_is_no_chance_is_refused(alpha: float, beta: float) -> None:
    with pytest.raises(ValueError, match="beta must be above 0"):
        ideal_ranks_right(PairLikelihoods(np.zeros(1), np.zeros(1)), [alpha], beta)


def test_length_explains_all_half_or_nothing() -> None:
    length = np.array([1.0, 2.0, 3.0, 4.0])
    assert length_r2(7 - 2 * length, length) == pytest.approx(1.0)
    assert length_r2([1.0, -1.0, -1.0, 1.0], length) == pytest.approx(0.0)
    # products 4 of squares 5 and 5: r = .8
    assert length_r2([1.0, 3.0, 2.0, 4.0], length) == pytest.approx(0.64)
    assert length_r2([2.0, 2.0], [1.0, 2.0]) is None
