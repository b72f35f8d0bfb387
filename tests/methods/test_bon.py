import numpy as np
import pytest

from overopt.methods.contract.selection import ScoredPool
from overopt.methods.selection import bon

CONFIG = bon.Config()


def test_weights_by_hand() -> None:
    # ranks 3, 1, 2 of 3 with n = 2: C(2,1)/C(3,2) = 2/3, 0, C(1,1)/C(3,2) = 1/3
    weight_BN = bon.weights(CONFIG, ScoredPool(np.array([[0.9, -1.0, 0.2]])), 2)
    assert weight_BN == pytest.approx(np.array([[2 / 3, 0.0, 1 / 3]]))


def test_ties_share_their_weight() -> None:
    weight_BN = bon.weights(CONFIG, ScoredPool(np.array([[1.0, 1.0, 0.0]])), 2)
    assert weight_BN == pytest.approx(np.array([[0.5, 0.5, 0.0]]))


def test_one_of_one_is_the_initial_policy() -> None:
    weight_BN = bon.weights(CONFIG, ScoredPool(np.array([[3.0, 1.0, 2.0, 0.0]])), 1)
    assert weight_BN == pytest.approx(np.full((1, 4), 0.25))
    assert bon.kl_bound_nats(CONFIG, 1) == 0.0


def test_kl_bound_by_hand() -> None:
    # log 4 - 3/4
    assert bon.kl_bound_nats(CONFIG, 4) == pytest.approx(0.6362944)


@pytest.mark.parametrize(
    ("kl_nats", "n"), [(0.01, 2.0), (0.1931472, 2.0), (0.60, 4.0), (0.6362944, 4.0), (0.80, 5.0)]
)
def test_knob_for_kl_is_the_nearest_whole_n(kl_nats: float, n: float) -> None:
    # bounds of n = 2..5: 0.1931, 0.4319, 0.6363, 0.8094
    assert bon.knob_for_kl(CONFIG, kl_nats) == n


@pytest.mark.parametrize("n", [1.5, 0, 4])
def test_n_outside_the_pool_is_refused(n: float) -> None:
    with pytest.raises(ValueError, match="n "):
        bon.weights(CONFIG, ScoredPool(np.zeros((1, 3))), n)
