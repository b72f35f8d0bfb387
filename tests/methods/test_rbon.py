import numpy as np
import pytest

from overopt.methods.contract.selection import ScoredPool, samples_of_reference
from overopt.methods.selection import bon, rbon
from overopt.stats.arrays import Floats
from overopt.stats.pools.listed import kl_listed

REFERENCE_V, REWARD_V = np.array([0.5, 0.3, 0.2]), np.array([0.0, 1.0, 2.0])
WORLD = ScoredPool(REWARD_V[None], REFERENCE_V[None], np.log(REFERENCE_V)[None])


def law(weight: float, n: float) -> Floats:
    policy_BN = rbon.weights(rbon.Config(weight=weight), WORLD, n)
    return policy_BN.ravel()


def test_the_sum_decides_by_hand() -> None:
    # log pi_ref -.6931, -1.2040, -1.6094. Weight 1: -.6931, -.2040, .3906, the order of the proxy;
    # weight 2: -1.3863, -1.4079, -1.2189: 1 < 0 < 2; weight 3: -2.0794, -2.6119, -2.8283: 2 < 1 < 0
    assert law(1.0, 2) == pytest.approx([0.25, 0.39, 0.36])
    assert law(2.0, 2) == pytest.approx([0.8**2 - 0.3**2, 0.3**2, 1 - 0.8**2])
    assert law(3.0, 2) == pytest.approx([1 - 0.5**2, 0.5**2 - 0.2**2, 0.2**2])


@pytest.mark.parametrize("n", [1.0, 2.0, 4.0])
def test_no_weight_is_best_of_n(n: float) -> None:
    assert law(0.0, n) == pytest.approx(bon.weights(bon.Config(), WORLD, n)[0])
    assert rbon.kl_bound_nats(rbon.Config(), n) == bon.kl_bound_nats(bon.Config(), n)


def test_on_a_pool_it_is_best_of_n_of_the_sum() -> None:
    generator = np.random.default_rng(0)
    proxy_BN, logp_BN = generator.normal(size=(2, 3, 12))
    pool = samples_of_reference(proxy_BN)._replace(reference_logp_BN=logp_BN)
    summed = samples_of_reference(proxy_BN + 0.5 * logp_BN)
    found = rbon.unbiased_weights(rbon.Config(weight=0.5), pool, 4.0)
    assert found == pytest.approx(bon.unbiased_weights(bon.Config(), summed, 4.0))


def test_kl_does_not_vanish_as_the_weight_grows() -> None:
    kl = [float(kl_listed(law(weight, 4)[None], REFERENCE_V[None])[0]) for weight in (0, 2, 100)]
    assert kl == pytest.approx([0.5598, 0.5218, 0.4845], abs=5e-5)
    assert law(100, 4)[0] == pytest.approx(1 - 0.5**4)  # the likeliest, once it is drawn


def test_what_is_never_said_is_never_picked() -> None:
    never = ScoredPool(np.array([[1.0, 9.0]]), np.array([[1.0, 0.0]]), np.array([[0.0, -np.inf]]))
    assert rbon.weights(rbon.Config(), never, 8.0).tolist() == [[1.0, 0.0]]
