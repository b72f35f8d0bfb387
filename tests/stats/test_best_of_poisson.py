"""Best-of-Poisson against the mixture of best-of-n that it is."""

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.stats import poisson

from overopt.methods.contract.selection import ScoredPool
from overopt.methods.selection import bon
from overopt.stats.pools import best_of_n, best_of_poisson
from overopt.stats.pools.listed import kl_listed, uniform

SCORE_BR, REFERENCE_BR = np.array([[0.0, 1.0, 2.0]]), np.array([[0.5, 0.3, 0.2]])
FINE = np.arange(20_000.0)[None]


@pytest.mark.parametrize(
    ("mu", "policy", "kl"),
    [
        (1.0, [0.3033, 0.3517, 0.3450], 0.0924),
        (4.0, [0.0677, 0.2918, 0.6405], 0.6022),
        (0.0, [0.5, 0.3, 0.2], 0.0),
    ],
)
def test_three_responses_by_hand(mu: float, policy: list[float], kl: float) -> None:
    # F = .5, .8, 1; mu 1: .5 e^-.5 = .3033, .8 e^-.2 = .6550, 1
    found_BR = best_of_poisson.policy(SCORE_BR, REFERENCE_BR, mu)
    assert found_BR[0] == pytest.approx(policy, abs=5e-5)
    assert kl_listed(found_BR, REFERENCE_BR)[0] == pytest.approx(kl, abs=5e-5)


@pytest.mark.parametrize("mu", [0.3, 3.0, 12.0])
def test_it_is_best_of_n_on_average(mu: float) -> None:
    n_K = np.arange(1, 200)
    chance_K = poisson.pmf(n_K - 1, mu)
    mixed_BR = np.zeros((1, 3))
    for n, chance in zip(n_K, chance_K, strict=True):
        mixed_BR += chance * bon.weights(bon.Config(), ScoredPool(SCORE_BR, REFERENCE_BR), float(n))
    assert best_of_poisson.policy(SCORE_BR, REFERENCE_BR, mu) == pytest.approx(mixed_BR)


@pytest.mark.parametrize(
    ("mu", "mean_u", "kl"), [(1.0, 0.6321, 0.1072), (5.0, 0.8397, 0.8334), (10.0, 0.9100, 1.4080)]
)
def test_without_ties_it_is_nearly_the_best_tilt_of_the_quantile(
    mu: float, mean_u: float, kl: float
) -> None:
    u = (FINE[0] + 0.5) / FINE.size
    policy = best_of_poisson.policy(FINE, uniform(1, FINE.size), mu)[0]
    mean = float((policy * u).sum())
    assert mean == pytest.approx(mean_u, abs=1e-4)
    found = kl_listed(policy[None], uniform(1, FINE.size))[0]
    assert found == pytest.approx(kl, abs=2e-4)

    def tilted(b: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        weight = np.exp(b * (u - 1))
        return np.asarray(weight / weight.sum())

    b = brentq(lambda b: float((tilted(b) * u).sum()) - mean, 1e-3, 60.0)
    best = kl_listed(tilted(float(b))[None], uniform(1, FINE.size))[0]
    assert 0 < found - best < 6e-4


def test_the_slope_is_the_derivative_of_the_distribution_function() -> None:
    u, mu, step = np.linspace(0, 1, 11), 2.5, 1e-5
    numeric = best_of_poisson.cdf(u, mu + step) - best_of_poisson.cdf(u, mu - step)
    assert best_of_poisson.slope(u, mu) == pytest.approx(numeric / (2 * step), abs=1e-9)


@pytest.mark.parametrize("mu", [0.0, 0.7, 4.0])
def test_weights_over_a_pool_are_those_of_best_of_n_on_average(mu: float) -> None:
    proxy_BN = np.array([[0.3, 1.2, -0.5, 0.9, 0.3], [2.0, 2.0, 2.0, 1.0, 0.0]])
    chance_K = poisson.pmf(np.arange(5), mu)
    mixed_BN = sum(
        chance * best_of_n.weights(proxy_BN, n)
        for n, chance in zip(range(1, 6), chance_K, strict=True)
    )
    found_BN = best_of_poisson.weights(proxy_BN, mu)
    assert found_BN == pytest.approx(mixed_BN / chance_K.sum())
    assert found_BN.sum(axis=1) == pytest.approx(np.ones(2))


def test_mu_below_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 0"):
        best_of_poisson.policy(SCORE_BR, REFERENCE_BR, -0.1)
    with pytest.raises(ValueError, match="at least 0"):
        best_of_poisson.weights(SCORE_BR, float("nan"))
    with pytest.raises(ValueError, match="at least 0 and finite"):
        best_of_poisson.weights(SCORE_BR, float("inf"))


@pytest.mark.parametrize(("size", "mu"), [(64, 160.0), (256, 512.0)])
def test_a_pool_much_smaller_than_mu_is_refused(size: int, mu: float) -> None:
    proxy_BN = np.arange(2.0 * size).reshape(2, size)
    with pytest.raises(ValueError, match=f"pools of {size} samples.*mu of at most {size - 1}"):
        best_of_poisson.weights(proxy_BN, mu)
    # what the message allows
    assert best_of_poisson.weights(proxy_BN, size - 1.0).sum(axis=1) == pytest.approx(np.ones(2))
