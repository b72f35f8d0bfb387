"""Pessimism along n: by hand, against the algorithm, and where it comes to rest."""

from __future__ import annotations

import numpy as np
import pytest

from overopt.methods.contract.selection import ScoredPool
from overopt.methods.math.pessimism import thresholds
from overopt.methods.selection import itp, itp_n
from overopt.stats.pools.listed import kl_listed

LISTED = ScoredPool(np.array([[1.0, 0.0, 2.0, 9.0]]), np.array([[0.3, 0.5, 0.2, 0.0]]))
"""Three responses, and one that the initial policy never gives."""
MANY = itp_n.Config(beta=0.5, draws=4000)


def test_one_sample_for_the_threshold_and_one_to_choose_from_by_hand() -> None:
    """Scores 0 and 1, even odds, beta 1.

    Of a first sample 0, lambda is -1: 1/2 and 1 pass, A = 3/4, and pi = (3/8, 5/8). Of a 1, lambda
    is 0: 0 and 1 pass, A = 1/2, and pi = (1/4, 3/4). The mean is (5/16, 11/16).
    """
    pool = ScoredPool(np.array([[0.0, 1.0]]), np.array([[0.5, 0.5]]))
    policy_BN = itp_n.weights(itp_n.Config(beta=1.0, draws=4000), pool, 1.0)
    assert policy_BN == pytest.approx(np.array([[5 / 16, 11 / 16]]), abs=0.005)


@pytest.mark.parametrize("n", [1, 3])
def test_it_is_what_the_algorithm_does_sample_by_sample(n: int) -> None:
    rng, runs = np.random.default_rng(0), 100_000
    score_R, chance_R = LISTED.proxy_BN[0], LISTED.reference_BN[0]
    drawn_Sn = rng.choice(4, size=(runs, 2 * n + 1), p=chance_R)
    lambda_S1 = thresholds(score_R[drawn_Sn[:, :n]], np.full((runs, n), 1 / n), MANY.beta)
    bound = 2.0  # R_max, of what is ever drawn
    fresh_Sn = score_R[drawn_Sn[:, n : 2 * n]]
    pass_Sn = np.maximum(fresh_Sn - lambda_S1, 0.0) / (bound - lambda_S1)
    passes_Sn = rng.random((runs, n)) < pass_Sn
    first_S = np.where(passes_Sn.any(axis=1), passes_Sn.argmax(axis=1), n)
    share_R = np.bincount(drawn_Sn[np.arange(runs), n + first_S], minlength=4) / runs
    policy_BN = itp_n.weights(MANY, LISTED, float(n))
    assert policy_BN.sum(axis=1) == pytest.approx(np.ones(1))
    assert policy_BN[0] == pytest.approx(share_R, abs=0.012)


def test_with_many_samples_it_is_the_target_of_itp() -> None:
    config = itp_n.Config(beta=0.5, draws=400)
    target_BN = itp.weights(itp.Config(), LISTED, 0.5)
    far, near = (
        np.abs(itp_n.weights(config, LISTED, float(n)) - target_BN).max() for n in (16, 256)
    )
    assert near < 0.02 < far


def test_kl_rises_with_n_and_comes_to_rest() -> None:
    rng = np.random.default_rng(3)
    pool = ScoredPool(rng.normal(size=(16, 512)), np.full((16, 512), 1 / 512))
    kl_nats = [
        kl_listed(itp_n.weights(itp_n.Config(), pool, float(n)), pool.reference_BN).mean()
        for n in (1, 4, 16, 64, 256)
    ]
    assert kl_nats == sorted(kl_nats)
    assert kl_nats[-1] - kl_nats[-2] < 0.2 * (kl_nats[1] - kl_nats[0])


def test_a_response_costs_twice_n() -> None:
    assert itp_n.samples_used(itp_n.Config(), 1024, 16.0) == 32
