from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax
from scipy.stats import norm

from overopt.stats.arrays import Floats
from overopt.stats.pools import listed, soft_best_of_n
from overopt.stats.pools.best_of_n import kl_bound

REFERENCE = [0.5, 0.3, 0.2]
SCORE = [0.0, 1.0, 2.0]


def every_draw(score: Floats, reference: Floats, n: int, temperature: float) -> Floats:
    """The policy by enumeration of all ordered draws of n."""
    policy = np.zeros(score.size)
    for drawn in product(range(score.size), repeat=n):
        rows = list(drawn)
        np.add.at(policy, rows, reference[rows].prod() * softmax(score[rows] / temperature))
    return policy


@pytest.mark.parametrize(
    ("n", "policy", "kl"),
    [
        (2, [0.3545, 0.3416, 0.3039], 0.0496),
        (4, [0.2616, 0.3379, 0.4006], 0.1489),
        (8, [0.2160, 0.3194, 0.4646], 0.2303),
    ],
)
def test_three_responses_at_temperature_one(n: int, policy: list[float], kl: float) -> None:
    found = soft_best_of_n.policy([SCORE], [REFERENCE], n, 1.0)
    np.testing.assert_allclose(found, [policy], atol=5e-5)
    np.testing.assert_allclose(listed.kl_listed(found, [REFERENCE]), [kl], atol=5e-5)


def test_two_responses_by_hand() -> None:
    # score log 3 above: picked from a mixed pair with 3/4; pi = 1/4 + 1/2 * 3/4
    found = soft_best_of_n.policy([[0.0, np.log(3.0)]], [[0.5, 0.5]], 2, 1.0)
    np.testing.assert_allclose(found, [[0.375, 0.625]], atol=1e-12)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(-3, 3), st.integers(1, 5)), min_size=1, max_size=5),
    st.integers(1, 4),
    st.sampled_from([0.02, 0.3, 1.0, 20.0]),
)
def test_the_integral_is_the_sum_over_every_draw(
    listed_responses: list[tuple[int, int]], n: int, temperature: float
) -> None:
    score = np.array([one for one, _ in listed_responses], float)
    reference = np.array([mass for _, mass in listed_responses], float)
    reference /= reference.sum()
    found = soft_best_of_n.policy(score[None], reference[None], n, temperature)[0]
    np.testing.assert_allclose(found, every_draw(score, reference, n, temperature), atol=1e-11)


@pytest.mark.parametrize("n", [2, 16, 200])
def test_cold_is_best_of_n_in_policy_and_in_kl(n: int) -> None:
    score = np.random.default_rng(n).integers(0, 40, size=(3, 64)).astype(float)
    reference = np.random.default_rng(1).dirichlet(np.ones(64), size=3)
    best = listed.by_quantile(score, reference, lambda u: u**n)
    cold = soft_best_of_n.policy(score, reference, n, 0.01)
    np.testing.assert_allclose(cold, best, atol=1e-11)
    np.testing.assert_allclose(
        listed.kl_listed(cold, reference), listed.kl_listed(best, reference), atol=1e-10
    )


def test_a_pair_at_temperature_zero_has_the_kl_of_best_of_two() -> None:
    # weights within a pair would have log 2 = .693; the policy has the bound, log 2 - 1/2 = .193
    score = norm.ppf((np.arange(2000) + 0.5) / 2000)[None]
    reference = listed.uniform(1, 2000)
    kl = float(listed.kl_listed(soft_best_of_n.policy(score, reference, 2, 1e-5), reference)[0])
    assert kl == pytest.approx(float(kl_bound(2)), abs=1e-4)


def test_hot_or_alone_is_the_reference_and_many_are_the_tilt() -> None:
    score, reference = np.array([[0.3, -1.0, 2.0, 0.3]]), np.array([[0.1, 0.2, 0.3, 0.4]])
    for n, temperature in ((1, 0.01), (5, 1e12)):
        found = soft_best_of_n.policy(score, reference, n, temperature)
        np.testing.assert_allclose(found, reference, atol=1e-11)
        np.testing.assert_allclose(listed.kl_listed(found, reference), [0.0], atol=1e-11)
    tilt = reference * np.exp(score / 0.7)
    tilt /= tilt.sum()
    many = soft_best_of_n.policy(score, reference, None, 0.7)
    np.testing.assert_allclose(many, tilt)
    for n in (10**3, 10**4, 10**5):  # the tilt is reached like 1 / n
        found = soft_best_of_n.policy(score, reference, n, 0.7)
        assert np.abs(found - tilt).max() < 3.0 / n


def test_kl_rises_with_n_and_falls_with_temperature() -> None:
    score = np.random.default_rng(3).normal(size=(2, 128))
    reference = listed.uniform(2, 128)

    def kl(n: int | None, temperature: float) -> float:
        policy = soft_best_of_n.policy(score, reference, n, temperature)
        return float(listed.kl_listed(policy, reference).mean())

    by_n = [kl(n, 0.5) for n in (1, 2, 8, 64, 4096, None)]
    assert np.all(np.diff(by_n) > 0)
    by_temperature = [kl(8, t) for t in (0.01, 0.1, 1.0, 10.0)]
    assert np.all(np.diff(by_temperature) < 0)
    assert by_temperature[0] < float(kl_bound(8))


def test_a_pool_is_a_little_below_the_truth() -> None:
    """n = 16 at t = 1: a fine grid of the normal distribution is the truth."""
    grid = norm.ppf((np.arange(4096) + 0.5) / 4096)[None]
    exact = listed.uniform(1, 4096)
    truth = float(listed.kl_listed(soft_best_of_n.policy(grid, exact, 16, 1.0), exact)[0])
    assert truth == pytest.approx(0.3787, abs=5e-4)
    pools = np.random.default_rng(0).normal(size=(400, 64))
    reference = listed.uniform(*pools.shape)
    kl_B = listed.kl_listed(soft_best_of_n.policy(pools, reference, 16, 1.0), reference)
    error = float(kl_B.std(ddof=1) / 20)
    assert -0.05 - 2 * error < kl_B.mean() - truth < 2 * error


def test_wide_scores_and_a_tiny_temperature_stay_finite() -> None:
    score = np.array([[-1e3, 0.0, 1e-3, 1e3]])
    found = soft_best_of_n.policy(score, listed.uniform(1, 4), 3, 1e-6)
    np.testing.assert_allclose(found, np.diff(np.arange(5.0) ** 3)[None] / 64, atol=1e-11)


def test_mistakes_are_refused() -> None:
    for n, temperature in ((0, 1.0), (2, 0.0), (None, -1.0)):
        with pytest.raises(ValueError, match="n must be at least 1 and t above 0"):
            soft_best_of_n.policy([SCORE], [REFERENCE], n, temperature)
    with pytest.raises(ValueError, match="sum to 1"):
        soft_best_of_n.policy([SCORE], [[0.5, 0.3, 0.1]], 2, 1.0)
    with pytest.raises(ValueError, match="NaN"):
        soft_best_of_n.policy([[0.0, np.nan, 1.0]], [REFERENCE], 2, 1.0)
