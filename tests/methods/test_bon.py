import numpy as np
import pytest

from overopt.methods.contract.selection import ScoredPool, samples_of_reference
from overopt.methods.selection import bon

CONFIG = bon.Config()


def pool(*proxy: float) -> ScoredPool:
    return samples_of_reference(np.array([proxy]))


def test_unbiased_weights_by_hand() -> None:
    # ranks 3, 1, 2 of 3 with n = 2: C(2,1)/C(3,2) = 2/3, 0, C(1,1)/C(3,2) = 1/3
    weight_BN = bon.unbiased_weights(CONFIG, pool(0.9, -1.0, 0.2), 2)
    assert weight_BN == pytest.approx(np.array([[2 / 3, 0.0, 1 / 3]]))


def test_the_policy_by_hand() -> None:
    # F = 1/3, 2/3, 1: squares 1/9, 4/9, 1
    weight_BN = bon.weights(CONFIG, pool(0.9, -1.0, 0.2), 2)
    assert weight_BN == pytest.approx(np.array([[5 / 9, 1 / 9, 3 / 9]]))
    listed = ScoredPool(np.array([[0.0, 1.0, 2.0]]), np.array([[0.5, 0.3, 0.2]]))
    assert bon.weights(CONFIG, listed, 4) == pytest.approx(np.array([[0.0625, 0.3471, 0.5904]]))


def test_ties_share_their_weight() -> None:
    tied = pool(1.0, 1.0, 0.0)
    assert bon.unbiased_weights(CONFIG, tied, 2) == pytest.approx(np.array([[0.5, 0.5, 0.0]]))
    assert bon.weights(CONFIG, tied, 2) == pytest.approx(np.array([[4, 4, 1]]) / 9)


def test_one_of_one_is_the_initial_policy() -> None:
    for function in (bon.weights, bon.unbiased_weights):
        weight_BN = function(CONFIG, pool(3.0, 1.0, 2.0, 0.0), 1)
        assert weight_BN == pytest.approx(np.full((1, 4), 0.25))
    assert bon.kl_bound_nats(CONFIG, 1) == 0.0


def test_kl_bound_by_hand() -> None:
    # log 4 - 3/4
    assert bon.kl_bound_nats(CONFIG, 4) == pytest.approx(0.6362944)


@pytest.mark.parametrize("n", [0, 4])
def test_n_outside_the_pool_is_refused(n: float) -> None:
    with pytest.raises(ValueError, match="n "):
        bon.unbiased_weights(CONFIG, pool(0.0, 0.0, 0.0), n)
