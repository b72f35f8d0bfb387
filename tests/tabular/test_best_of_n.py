"""The best-of-n estimator against the exact best of n independent draws, ties at random.

With F the distribution of the proxy under the initial policy, the best of n has proxy s with
chance F(s)^n - F(s-)^n, shared among the responses of equal proxy by their probabilities.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from overopt.models.rewards.reward import score
from overopt.models.starts.scratch import build_reward
from overopt.spec.training import ArchitectureSpec
from overopt.stages.shown.enumeration import Enumeration
from overopt.stats.kl import exact_kl_per_prompt
from overopt.stats.pools.best_of_n import curve, kl_bound, weights
from overopt.worlds.contract import context_tokens
from overopt.worlds.tabular.world import Tabular

Floats = npt.NDArray[np.float64]
PROMPTS = 4
POOLS, POOL_SAMPLES = 300, 48
GRID = (1, 2, 4, 8, 16)


@pytest.fixture(scope="module")
def proxy_BR(world: Tabular) -> Floats:
    """Scores of every response by a random reward model, rounded so that many of them tie."""
    architecture = ArchitectureSpec(layers=1, width=16, heads=2)
    model = build_reward(architecture, len(world.vocabulary), context_tokens(world), seed=3)
    rows = world.responses.rows()
    prompts = world.heldout_prompts.take(np.repeat(np.arange(PROMPTS), rows))
    every = world.responses.take(np.tile(np.arange(rows), PROMPTS))
    raw_BR = score(model.eval(), prompts, every).reshape(PROMPTS, rows)
    rounded: Floats = np.round((raw_BR - raw_BR.mean()) / raw_BR.std(), 1)
    return rounded


def best_of_n_exact(p_R: Floats, proxy_R: Floats, n: int) -> Floats:
    """Probability of every response to be the best of n."""
    value_U, tie_R = np.unique(proxy_R, return_inverse=True)
    mass_U = np.bincount(tie_R, weights=p_R, minlength=len(value_U))
    below_U = np.concatenate([[0.0], np.cumsum(mass_U)])
    best_U = np.diff(below_U**n)
    share = np.divide(best_U, mass_U, out=np.zeros_like(mass_U), where=mass_U > 0)
    return np.asarray(p_R * share[tie_R])


@pytest.mark.parametrize("n", GRID)
def test_the_estimator_agrees_with_the_enumerated_distribution(
    exact: Enumeration, proxy_BR: Floats, n: int
) -> None:
    rng = np.random.default_rng(n)
    p_BR = np.exp(exact.reference_logp_BR[:PROMPTS])
    p_BR /= p_BR.sum(axis=1, keepdims=True)
    for b in range(PROMPTS):
        drawn_SN = rng.choice(p_BR.shape[1], size=(POOLS, POOL_SAMPLES), p=p_BR[b])
        weight_SN = weights(proxy_BR[b, drawn_SN], n)
        best_R = best_of_n_exact(p_BR[b], proxy_BR[b], n)
        assert best_R.sum() == pytest.approx(1.0)
        for value_R in (exact.gold_BR[b], proxy_BR[b]):
            found_S = (weight_SN * value_R[drawn_SN]).sum(axis=1)
            z = (found_S.mean() - best_R @ value_R) / (found_S.std(ddof=1) / POOLS**0.5)
            assert abs(z) < 3, (b, z)


def test_brute_force_over_all_triples_gives_the_exact_distribution() -> None:
    """The formula itself, against every ordered draw of three from four responses."""
    p_R, proxy_R = np.array([0.1, 0.2, 0.3, 0.4]), np.array([1.0, 2.0, 2.0, 0.0])
    brute_R = np.zeros(4)
    for i in range(4):
        for j in range(4):
            for k in range(4):
                drawn = [i, j, k]
                best = [r for r in drawn if proxy_R[r] == proxy_R[drawn].max()]
                for r in best:
                    brute_R[r] += p_R[i] * p_R[j] * p_R[k] / len(best)
    assert best_of_n_exact(p_R, proxy_R, 3) == pytest.approx(brute_R)


@pytest.mark.parametrize("n", GRID[1:])
def test_the_bound_holds_and_the_pool_estimate_is_nearer(
    exact: Enumeration, proxy_BR: Floats, n: int
) -> None:
    rng = np.random.default_rng(n)
    p_BR = np.exp(exact.reference_logp_BR[:PROMPTS])
    p_BR /= p_BR.sum(axis=1, keepdims=True)
    best_BR = np.stack([best_of_n_exact(*pair, n) for pair in zip(p_BR, proxy_BR, strict=True)])
    with np.errstate(divide="ignore"):
        kl_nats = float(exact_kl_per_prompt(np.log(best_BR), np.log(p_BR)).mean())
    drawn_BN = np.stack([rng.choice(p_R.size, size=4000, p=p_R) for p_R in p_BR])
    drawn_R = np.take_along_axis(proxy_BR, drawn_BN, axis=1).ravel()
    pool_nats = float(
        curve(np.repeat(np.arange(PROMPTS), 4000), drawn_R, drawn_R, [n]).kl_BK.mean()
    )
    bound_nats = float(kl_bound(n))
    assert kl_nats < bound_nats
    assert abs(pool_nats - kl_nats) < abs(bound_nats - kl_nats)
    assert pool_nats == pytest.approx(kl_nats, rel=0.05)
