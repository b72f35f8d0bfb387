"""Selection from a pool that lists every response: tilted and chi^2-optimal distributions."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from scipy.optimize import LinearConstraint, minimize
from scipy.special import softmax

from overopt.methods.contract.selection import samples_of_reference
from overopt.methods.selection import itp, soft_bon
from overopt.stats.pools.listed import kl_listed, uniform

REWARD_BN = np.array([[0.1, -0.7, 0.9, 1.6, -1.2, 2.3, 0.2, -0.4]])
POOL = samples_of_reference(REWARD_BN)
N = REWARD_BN.shape[1]


@pytest.mark.parametrize("temperature", [0.2, 1.0, 5.0])
def test_soft_best_of_all_is_the_tilted_reference(temperature: float) -> None:
    weight_BN = soft_bon.weights(soft_bon.Config(), POOL, temperature)
    assert weight_BN == pytest.approx(softmax(REWARD_BN / temperature, axis=1))
    # KL(tilted || uniform) = E[r] / t - log mean exp(r / t)
    expected = (weight_BN * REWARD_BN).sum() / temperature
    expected -= np.log(np.exp(REWARD_BN / temperature).mean())
    assert kl_listed(weight_BN, uniform(1, N)) == pytest.approx(expected)


@pytest.mark.parametrize("beta", [0.05, 0.4, 1.5, 20.0])
def test_pessimism_maximizes_reward_less_chi_squared(beta: float) -> None:
    """E_w[r] - beta / 2 (N sum w^2 - 1), over all distributions w on the pool."""

    def cost(weight_N: npt.NDArray[np.float64]) -> float:
        return float(-weight_N @ REWARD_BN[0] + beta / 2 * (N * weight_N @ weight_N - 1))

    found = minimize(
        cost,
        np.full(N, 1 / N),
        bounds=[(0.0, 1.0)] * N,
        method="SLSQP",
        constraints=LinearConstraint(np.ones((1, N)), 1.0, 1.0),
        options={"ftol": 1e-15},
    )
    weight_BN = itp.weights(itp.Config(), POOL, beta)
    assert weight_BN[0] == pytest.approx(found.x, abs=2e-5)
    assert cost(weight_BN[0]) <= found.fun + 1e-12
