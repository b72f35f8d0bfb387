"""Rankings by likelihood, against pairs worked out by hand and policies in closed form."""

from __future__ import annotations

import math

import numpy as np
import pytest

from overopt.stats.diagnostics.rankings import (
    direct_loss_nats,
    flipped_share,
    ideal_share,
    ranked_right,
)

NONE = np.array([], dtype=np.float64)


def test_a_pair_is_ranked_right_where_the_chosen_response_is_likelier() -> None:
    share, se = ranked_right(np.array([1.0, -1.0, 0.0, 2.0]))
    assert share == 0.5
    assert se == pytest.approx(math.sqrt(0.5 * 0.5 / 4))
    assert ranked_right(NONE) == (None, None)


def test_only_pairs_that_were_wrong_can_be_flipped() -> None:
    before_P, after_P = np.array([-1.0, -2.0, 3.0, 0.0]), np.array([0.5, -0.5, -9.0, 1.0])
    assert flipped_share(before_P, after_P).share == pytest.approx(2 / 3)
    assert flipped_share(np.array([1.0]), np.array([-1.0])).share is None


def test_the_loss_at_the_start_is_log_two_and_at_the_limit_that_of_the_theorem() -> None:
    start_P = np.array([-5.0, -5.0])
    assert direct_loss_nats(start_P, start_P, 0.1) == pytest.approx(math.log(2.0))
    assert direct_loss_nats(start_P, np.zeros(2), 0.1) == pytest.approx(0.474077, abs=5e-7)
    assert direct_loss_nats(NONE, NONE, 0.1) is None


@pytest.mark.parametrize(("beta", "right_share"), [(0.1, 0.75), (1.0, 0.75), (5.0, 0.6)])
def test_the_ideal_is_the_ranking_of_the_optimum(beta: float, right_share: float) -> None:
    """Two responses: minimize the expected loss over the margin by search, and rank by it."""
    initial_P = np.linspace(-30.0, 30.0, 61)
    margin_M = np.linspace(-45.0, 45.0, 18001)
    best_P = np.empty_like(initial_P)
    for p, initial in enumerate(initial_P):
        h_M = beta * (margin_M - initial)
        expected_M = right_share * np.logaddexp(0, -h_M) + (1 - right_share) * np.logaddexp(0, h_M)
        best_P[p] = margin_M[expected_M.argmin()]
    assert ideal_share(initial_P, beta, right_share).share == ranked_right(best_P).share


def test_labels_that_never_err_rank_all_and_those_that_always_err_none() -> None:
    initial_P = np.array([-50.0, 1.0])
    assert ideal_share(initial_P, 0.1, 1.0).share == 1.0
    assert ideal_share(initial_P, 0.1, 0.0).share == 0.0
    assert ideal_share(initial_P, 0.1, 0.5).share == ranked_right(initial_P).share
