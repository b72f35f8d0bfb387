from itertools import product

import numpy as np
import pytest

from overopt.methods.contract.selection import ScoredPool, samples_of_reference
from overopt.methods.selection import bon, soft_bon
from overopt.stats.pools.listed import kl_listed

LOG3 = np.log(3.0)


@pytest.mark.parametrize(("temperature", "first"), [(1.0, 0.25), (0.5, 0.1), (1e9, 0.5)])
def test_within_a_draw_and_of_infinitely_many_by_hand(temperature: float, first: float) -> None:
    # odds 3 at temperature 1, 9 at 1/2
    pair = samples_of_reference(np.array([[0.0, LOG3]]))
    expected = pytest.approx(np.array([[first, 1 - first]]))
    assert soft_bon.draw_weights(soft_bon.Config(n=2), pair, temperature) == expected
    assert soft_bon.weights(soft_bon.Config(), pair, temperature) == expected


def test_the_policy_of_pairs_by_hand() -> None:
    # pairs (0, 0), (0, 1), (1, 0), (1, 1): the upper one is returned with 0, 3/4, 3/4, 1
    listed = ScoredPool(np.array([[0.0, LOG3]]), np.array([[0.2, 0.8]]))
    policy_BN = soft_bon.weights(soft_bon.Config(n=2), listed, 1.0)
    assert policy_BN == pytest.approx(np.array([[0.12, 0.88]]))  # .04 + .32 / 4


def test_the_coldest_is_best_of_n_in_policy_and_kl() -> None:
    pool = samples_of_reference(np.random.default_rng(0).permutation(np.arange(40.0))[None])
    for n in (2, 8):
        cold = soft_bon.weights(soft_bon.Config(n=n), pool, soft_bon.KNOB.low)
        best = bon.weights(bon.Config(), pool, n)
        assert cold == pytest.approx(best, abs=1e-10)
        kl = kl_listed(cold, pool.reference_BN)
        assert kl == pytest.approx(kl_listed(best, pool.reference_BN))
        assert kl[0] < bon.kl_bound_nats(bon.Config(), n)


def test_the_hottest_and_one_of_one_are_the_initial_policy() -> None:
    pool = samples_of_reference(np.array([[3.0, 1.0, 2.0, 0.0]]))
    for n, temperature in ((1, 0.1), (3, 1e9)):
        weight_BN = soft_bon.weights(soft_bon.Config(n=n), pool, temperature)
        assert weight_BN == pytest.approx(np.full((1, 4), 0.25))


def test_mistakes_are_refused() -> None:
    with pytest.raises(ValueError, match="t = 0"):
        soft_bon.weights(soft_bon.Config(), samples_of_reference(np.zeros((1, 3))), 0.0)


def test_a_response_costs_n_samples_or_the_pool() -> None:
    assert soft_bon.samples_used(soft_bon.Config(), 1024, 0.5) == 1024
    assert soft_bon.samples_used(soft_bon.Config(n=16), 1024, 0.5) == 16
    assert soft_bon.draw_size(soft_bon.Config(n=16), 0.5) == 16
    assert soft_bon.draw_size(soft_bon.Config(), 0.5) == 0


@pytest.mark.parametrize(
    ("n", "law", "kl"),
    [
        (2, [0.3545, 0.3416, 0.3039], 0.0496),
        (4, [0.2616, 0.3379, 0.4006], 0.1489),
        (8, [0.2160, 0.3194, 0.4646], 0.2303),
    ],
)
def test_the_policy_of_n_is_its_mean_over_every_draw(n: int, law: list[float], kl: float) -> None:
    """Three responses, temperature 1: all 3^n draws, each with its chance, written out."""
    reference_V, reward_V = np.array([0.5, 0.3, 0.2]), np.array([0.0, 1.0, 2.0])
    draw_Dn = np.array(list(product(range(3), repeat=n)))
    chance_D = reference_V[draw_Dn].prod(axis=1)
    within = soft_bon.draw_weights(
        soft_bon.Config(n=n), samples_of_reference(reward_V[draw_Dn]), 1.0
    )
    every_V = np.bincount(draw_Dn.ravel(), weights=(chance_D[:, None] * within).ravel())
    listed = ScoredPool(reward_V[None], reference_V[None])
    policy_BN = soft_bon.weights(soft_bon.Config(n=n), listed, 1.0)
    assert policy_BN[0] == pytest.approx(every_V, abs=1e-10)
    assert policy_BN[0] == pytest.approx(np.array(law), abs=6e-5)
    assert kl_listed(policy_BN, listed.reference_BN)[0] == pytest.approx(kl, abs=6e-5)
    best = bon.weights(bon.Config(), listed, n)
    assert kl < kl_listed(best, listed.reference_BN)[0]
