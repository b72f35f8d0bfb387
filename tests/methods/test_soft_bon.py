import numpy as np
import pytest

from overopt.methods.contract.selection import ScoredPool
from overopt.methods.selection import bon, soft_bon

LOG3 = np.log(3.0)


@pytest.mark.parametrize(("temperature", "first"), [(1.0, 0.25), (0.5, 0.1), (1e9, 0.5)])
def test_weights_by_hand(temperature: float, first: float) -> None:
    # odds 3 at temperature 1, 9 at 1/2
    weight_BN = soft_bon.weights(
        soft_bon.Config(), ScoredPool(np.array([[0.0, LOG3]])), temperature
    )
    assert weight_BN == pytest.approx(np.array([[first, 1 - first]]))


def test_groups_of_n_share_the_weight_and_a_rest_gets_none() -> None:
    pool = ScoredPool(np.array([[0.0, LOG3, LOG3, LOG3, 50.0]]))
    weight_BN = soft_bon.weights(soft_bon.Config(n=2), pool, 1.0)
    assert weight_BN == pytest.approx(np.array([[0.125, 0.375, 0.25, 0.25, 0.0]]))


def test_one_of_one_is_the_initial_policy() -> None:
    pool = ScoredPool(np.array([[3.0, 1.0, 2.0, 0.0]]))
    assert soft_bon.weights(soft_bon.Config(n=1), pool, 0.1) == pytest.approx(np.full((1, 4), 0.25))


def test_cold_groups_are_best_of_n_on_average_over_orders() -> None:
    """The mean weight of each rank over all orders of the pool is best-of-2's."""
    rng = np.random.default_rng(0)
    proxy_BN = rng.permuted(np.tile(np.arange(4.0), (20_000, 1)), axis=1)
    soft_BN = soft_bon.weights(soft_bon.Config(n=2), ScoredPool(proxy_BN), 0.01)
    hard_BN = bon.weights(bon.Config(), ScoredPool(np.arange(4.0)[None]), 2)
    mean_N = [soft_BN[proxy_BN == rank].mean() for rank in range(4)]
    assert mean_N == pytest.approx(hard_BN[0], abs=0.01)


def test_mistakes_are_refused() -> None:
    pool = ScoredPool(np.zeros((1, 3)))
    with pytest.raises(ValueError, match="n = 4 of 3 samples"):
        soft_bon.weights(soft_bon.Config(n=4), pool, 1.0)
    with pytest.raises(ValueError, match="temperature 0"):
        soft_bon.weights(soft_bon.Config(), pool, 0.0)


def test_a_response_costs_n_samples_or_the_pool() -> None:
    assert soft_bon.samples_used(soft_bon.Config(), 1024, 0.5) == 1024
    assert soft_bon.samples_used(soft_bon.Config(n=16), 1024, 0.5) == 16
