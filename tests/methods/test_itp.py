import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from overopt.methods.contract.selection import ScoredPool
from overopt.methods.selection import itp

CONFIG = itp.Config()


@pytest.mark.parametrize(
    ("beta", "threshold", "weights"),
    [
        (0.5, 1.5, [1.0, 0.0, 0.0]),  # (3 - 1.5) / 0.5 = 3
        (1.0, 0.5, [5 / 6, 1 / 6, 0.0]),  # (3 + 1 - 3) / 2
        (2.0, -2 / 3, [11 / 18, 5 / 18, 2 / 18]),  # (3 + 1 + 0 - 6) / 3
    ],
)
def test_threshold_and_weights_by_hand(beta: float, threshold: float, weights: list[float]) -> None:
    proxy_BN = np.array([[3.0, 1.0, 0.0]])
    assert itp.thresholds(proxy_BN, beta) == pytest.approx(np.array([[threshold]]))
    assert itp.weights(CONFIG, ScoredPool(proxy_BN), beta) == pytest.approx(np.array([weights]))


def test_order_does_not_matter() -> None:
    weight_BN = itp.weights(CONFIG, ScoredPool(np.array([[0.0, 3.0, 1.0]])), 1.0)
    assert weight_BN == pytest.approx(np.array([[0.0, 5 / 6, 1 / 6]]))


@given(
    arrays(np.float64, (2, 7), elements=st.floats(-5, 5)),
    st.floats(0.01, 100),
)
def test_weights_average_one_before_they_are_normalized(
    proxy_BN: np.ndarray[tuple[int, int], np.dtype[np.float64]], beta: float
) -> None:
    excess_BN = np.maximum(proxy_BN - itp.thresholds(proxy_BN, beta), 0) / beta
    assert excess_BN.mean(axis=1) == pytest.approx(np.ones(2))
    weight_BN = itp.weights(CONFIG, ScoredPool(proxy_BN), beta)
    assert weight_BN == pytest.approx(excess_BN / 7)


def test_beta_must_be_positive() -> None:
    with pytest.raises(ValueError, match="above 0"):
        itp.weights(CONFIG, ScoredPool(np.zeros((1, 2))), 0.0)


def test_a_response_costs_the_pool() -> None:
    assert itp.samples_used(CONFIG, 1024, 0.5) == 1024
