"""HedgeTune: a sampling rule taken as far as gold of other prompts still rises, and no further.

Paper: Khalaf et al. 2025, "Inference-Time Reward Hacking in Large Language Models"
(https://arxiv.org/abs/2506.19248); its laws and algorithm from the authors' code and site. With u
the quantile of the proxy among responses of the initial policy, and p_s(u) the law of the quantile
that a rule of strength s picks, s solves
    R(s) = mean over prompts of E_{u ~ p_s}[gold d/ds log p_s(u)] = d/ds mean gold = 0,
one s for all prompts, where R falls through 0. Rules, each the initial policy at s = 0:
    bon:      n = 1 + s,              P(U <= u) = u^n
    bop:      n = 1 + Poisson(s),     P(U <= u) = u exp(s (u - 1))
    soft-bon: softmax of the proxies of n draws at temperature 1 / s (n = 0: of all there are)
Of several roots the one of the highest gold counts, and an end of the range where gold is higher
there. Gold that rises to the end of the range is followed to its end.
Deviations: the root finder is not that of the released code, whose residual for bop uses another
score and never crosses 0, nor is its density of soft-bon, which is another law; quantiles know
ties. For soft-bon R is a central difference. soft-bon reads proxies in SDs of the initial policy,
not ranks. The strength is tuned on half of the held-out prompts and used on the other half, and the
reverse; below it the rule is itself, so that it has a curve along KL that ends at that strength.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq

from overopt.methods.contract.selection import ScoredPool
from overopt.spec.declare import knob, param
from overopt.stats.pools import best_of_poisson, soft_best_of_n
from overopt.stats.pools.listed import by_quantile

FAMILY = "selection"
KNOB = knob("strength", low=0.01, high=256.0, raises_kl=True)
USES_GOLD = "selection"

STEPS_PER_E = 4
"""Values that are looked at for a sign, for each factor e of the strength."""


@dataclass(frozen=True)
class Config:
    """Settings of HedgeTune."""

    rule: str = param("bop", help="what is tuned", one_of=("bon", "bop", "soft-bon"))
    n: int = param(0, help="draws of soft-bon; 0 for infinitely many", unit="samples", at_least=0)


def weights(config: Config, pool: ScoredPool, knob: float) -> npt.NDArray[np.float64]:
    """Probability of each listed response under the rule, all draws averaged.

    Args:
        config: rule, and n of soft-bon.
        pool: B prompts with N responses each; proxies in SDs of the initial policy.
        knob: s, at least 0.

    Returns:
        Shape (B, N); every row sums to 1.

    Raises:
        ValueError: if there is no such rule.
    """
    if config.rule == "bon":
        return by_quantile(pool.proxy_BN, pool.reference_BN, lambda u: u ** (1.0 + knob))
    if config.rule == "bop":
        return best_of_poisson.policy(pool.proxy_BN, pool.reference_BN, knob)
    if config.rule == "soft-bon":
        if knob == 0:
            return pool.reference_BN
        return soft_best_of_n.policy(pool.proxy_BN, pool.reference_BN, config.n or None, 1 / knob)
    raise ValueError(f"rule = {config.rule!r}; hedgetune tunes bon, bop or soft-bon")


def residual(
    config: Config, pool: ScoredPool, gold_BN: npt.NDArray[np.float64], strength: float
) -> float:
    """R(s), the derivative of the mean gold in the strength, in gold SDs.

    Args:
        config: rule.
        pool: B prompts with N responses each.
        gold_BN: their gold.
        strength: s, above 0.
    """
    if config.rule == "soft-bon":
        step = 1e-4 * strength
        up, down = (_mean_gold(config, pool, gold_BN, strength + sign * step) for sign in (1, -1))
        return (up - down) / (2 * step)

    def slope(u: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        if config.rule == "bop":
            return best_of_poisson.slope(u, strength)
        log_u = np.log(u, out=np.zeros_like(u), where=u > 0)
        return np.asarray(u ** (1.0 + strength) * log_u, np.float64)

    change_BN = by_quantile(pool.proxy_BN, pool.reference_BN, slope)
    return float((change_BN * gold_BN).sum(axis=1).mean())


def tune(config: Config, pool: ScoredPool, gold_BN: npt.NDArray[np.float64]) -> float:
    """The strength at which mean gold stops to rise.

    Args:
        config: rule.
        pool: responses to prompts other than those that the strength is used for.
        gold_BN: their gold, in SDs.

    Returns:
        s, within the knob's range.

    Reference:
        Inference-Time Reward Hacking in Large Language Models, https://arxiv.org/abs/2506.19248
    """

    def rising(log_strength: float) -> float:
        return residual(config, pool, gold_BN, math.exp(log_strength))

    low, high = math.log(KNOB.low), math.log(KNOB.high)
    grid = np.linspace(low, high, round(STEPS_PER_E * (high - low)) + 1)
    slope_G = [rising(value) for value in grid]
    ends = [low] * (slope_G[0] <= 0) + [high] * (slope_G[-1] > 0)
    roots = [
        _root(rising, grid[g], grid[g + 1])
        for g in range(len(grid) - 1)
        if slope_G[g] > 0 >= slope_G[g + 1]
    ]
    return max(
        (math.exp(value) for value in (*ends, *roots)),
        key=lambda strength: _mean_gold(config, pool, gold_BN, strength),
    )


def samples_used(config: Config, pool_samples: int, knob: float) -> int:
    """Samples that one response costs on average: 1 + s, or n of soft-bon, or the whole pool."""
    if config.rule == "soft-bon":
        return config.n or pool_samples
    return math.ceil(1.0 + knob)


def _root(function: Callable[[float], float], low: float, high: float) -> float:
    return float(brentq(function, low, high, xtol=1e-6))


def _mean_gold(
    config: Config, pool: ScoredPool, gold_BN: npt.NDArray[np.float64], strength: float
) -> float:
    """Mean over prompts of the expected gold under the rule."""
    return float((weights(config, pool, strength) * gold_BN).sum(axis=1).mean())
