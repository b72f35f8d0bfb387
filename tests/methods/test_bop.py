import numpy as np
import pytest
from scipy.stats import poisson

from overopt.methods.contract.selection import ScoredPool, samples_of_reference
from overopt.methods.selection import bon, bop
from overopt.stats.pools.listed import kl_listed

CONFIG = bop.Config()
LISTED = ScoredPool(np.array([[0.0, 1.0, 2.0]]), np.array([[0.5, 0.3, 0.2]]))


@pytest.mark.parametrize(
    ("mu", "policy", "kl"),
    [(1.0, [0.3033, 0.3517, 0.3450], 0.0924), (4.0, [0.0677, 0.2918, 0.6405], 0.6022)],
)
def test_the_policy_by_hand(mu: float, policy: list[float], kl: float) -> None:
    # F = .5, .8, 1; mu 1: .5 e^-.5 = .3033, .8 e^-.2 = .6550, 1
    found_BN = bop.weights(CONFIG, LISTED, mu)
    assert found_BN[0] == pytest.approx(policy, abs=5e-5)
    assert kl_listed(found_BN, LISTED.reference_BN)[0] == pytest.approx(kl, abs=5e-5)


def test_weights_over_a_pool_by_hand() -> None:
    # two samples, mu 1, n = 1 or 2 with e^-1 each: (.5 + 0) / 2 and (.5 + 1) / 2
    pool = samples_of_reference(np.array([[0.3, -1.0]]))
    assert bop.unbiased_weights(CONFIG, pool, 1.0) == pytest.approx(np.array([[0.75, 0.25]]))


def test_no_further_samples_are_the_initial_policy() -> None:
    assert bop.weights(CONFIG, LISTED, 0.0) == pytest.approx(LISTED.reference_BN)
    pool = samples_of_reference(np.array([[3.0, 1.0, 2.0, 0.0]]))
    assert bop.unbiased_weights(CONFIG, pool, 0.0) == pytest.approx(pool.reference_BN)


def test_it_is_best_of_n_for_a_number_drawn_anew() -> None:
    mixed_BN = np.zeros((1, 3))
    for n in range(1, 60):
        mixed_BN += poisson.pmf(n - 1, 5.0) * bon.weights(bon.Config(), LISTED, float(n))
    assert bop.weights(CONFIG, LISTED, 5.0) == pytest.approx(mixed_BN)


def test_ties_share_their_weight() -> None:
    tied = samples_of_reference(np.array([[1.0, 1.0, 0.0]]))
    for function in (bop.weights, bop.unbiased_weights):
        weight_BN = function(CONFIG, tied, 2.0)
        assert weight_BN[0, 0] == weight_BN[0, 1] > weight_BN[0, 2]
        assert weight_BN.sum() == pytest.approx(1.0)


def test_more_mu_is_more_kl_and_more_samples() -> None:
    kl = [
        float(kl_listed(bop.weights(CONFIG, LISTED, mu), LISTED.reference_BN)[0])
        for mu in (0.01, 0.1, 1.0, 10.0)
    ]
    assert kl == sorted(kl) and 0 < kl[0] < 1e-4
    assert kl[-1] < np.log(5)  # the best response has .2
    assert [bop.samples_used(CONFIG, 1024, mu) for mu in (0.01, 1.0, 9.5)] == [2, 2, 11]
