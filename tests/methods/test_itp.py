import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from overopt.methods.contract.selection import ScoredPool, samples_of_reference
from overopt.methods.math.pessimism import thresholds
from overopt.methods.selection import itp
from overopt.stats.pools.listed import kl_listed

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
    assert thresholds(*samples_of_reference(proxy_BN)[:2], beta) == pytest.approx(
        np.array([[threshold]])
    )
    assert itp.weights(CONFIG, samples_of_reference(proxy_BN), beta) == pytest.approx(
        np.array([weights])
    )


def test_order_does_not_matter() -> None:
    weight_BN = itp.weights(CONFIG, samples_of_reference(np.array([[0.0, 3.0, 1.0]])), 1.0)
    assert weight_BN == pytest.approx(np.array([[0.0, 5 / 6, 1 / 6]]))


@given(
    arrays(np.float64, (2, 7), elements=st.floats(-5, 5)),
    st.floats(0.01, 100),
)
def test_weights_average_one_before_they_are_normalized(
    proxy_BN: np.ndarray[tuple[int, int], np.dtype[np.float64]], beta: float
) -> None:
    excess_BN = (
        np.maximum(proxy_BN - thresholds(*samples_of_reference(proxy_BN)[:2], beta), 0) / beta
    )
    assert excess_BN.mean(axis=1) == pytest.approx(np.ones(2))
    weight_BN = itp.weights(CONFIG, samples_of_reference(proxy_BN), beta)
    assert weight_BN == pytest.approx(excess_BN / 7)


def test_beta_must_be_positive() -> None:
    with pytest.raises(ValueError, match="above 0"):
        itp.weights(CONFIG, samples_of_reference(np.zeros((1, 2))), 0.0)


LISTED = ScoredPool(np.array([[1.0, 0.0, 2.0, 9.0]]), np.array([[0.3, 0.5, 0.2, 0.0]]))
"""Three responses, and one that the initial policy never gives."""


@pytest.mark.parametrize(
    ("beta", "threshold", "policy"),
    [(1.0, -0.3, [0.39, 0.15, 0.46, 0.0]), (0.5, 0.4, [0.36, 0.0, 0.64, 0.0])],
)
def test_listed_responses_count_by_their_probability(
    beta: float, threshold: float, policy: list[float]
) -> None:
    # beta 1: (.3 + .4 - 1) / 1; beta 1/2: the upper two, (.3 + .4 - .5) / .5
    assert thresholds(*LISTED[:2], beta) == pytest.approx(np.array([[threshold]]))
    assert itp.weights(CONFIG, LISTED, beta) == pytest.approx(np.array([policy]))


@pytest.mark.parametrize(("n", "kl"), [(1, 0.0671), (4, 0.4224), (64, 0.8101)])
def test_rejection_from_n_fresh_samples_mixes_target_and_reference(n: int, kl: float) -> None:
    # M = (2 - .4) / .5 = 3.2: none of n passes with q = (1 - 1 / 3.2)^n
    q = (1 - 1 / 3.2) ** n
    expected = (1 - q) * np.array([0.36, 0.0, 0.64, 0.0]) + q * LISTED.reference_BN[0]
    policy_BN = itp.weights(itp.Config(n=n), LISTED, 0.5)
    assert policy_BN == pytest.approx(expected[None])
    assert kl_listed(policy_BN, LISTED.reference_BN) == pytest.approx([kl], abs=5e-5)


def test_the_mixture_is_what_rejection_sampling_does() -> None:
    """The algorithm, sample by sample, with lambda and M known."""
    rng, n, runs = np.random.default_rng(0), 3, 200_000
    drawn_Sn = rng.choice(4, size=(runs, n + 1), p=LISTED.reference_BN[0])
    pass_R = np.maximum(LISTED.proxy_BN[0] - 0.4, 0) / 0.5 / 3.2
    pass_R[3] = 0.0  # never drawn
    passes_Sn = rng.random((runs, n)) < pass_R[drawn_Sn[:, :n]]
    first_S = np.where(passes_Sn.any(axis=1), passes_Sn.argmax(axis=1), n)
    share_R = np.bincount(drawn_Sn[np.arange(runs), first_S], minlength=4) / runs
    policy_BN = itp.weights(itp.Config(n=n), LISTED, 0.5)
    assert share_R == pytest.approx(policy_BN[0], abs=0.005)


def test_a_response_costs_twice_n_or_the_pool() -> None:
    assert itp.samples_used(CONFIG, 1024, 0.5) == 1024
    assert itp.samples_used(itp.Config(n=16), 1024, 0.5) == 32
