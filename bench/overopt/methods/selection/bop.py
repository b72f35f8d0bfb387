"""Best-of-Poisson: best of n responses by the proxy, n drawn anew each time as 1 + Poisson(mu).

Paper: Khalaf et al. 2025, "Inference-Time Reward Hacking in Large Language Models"
(https://arxiv.org/abs/2506.19248); law from the authors' code. With u the quantile of the proxy
under the initial policy, the picked quantile has
    P(U <= u) = u exp(mu (u - 1)),   density (mu u + 1) exp(mu (u - 1)),
so that strength is a real number, and budgets below best-of-2 can be met. Its KL is within some
1e-4 nats of that of an exponential tilt of u with the same mean, the least there can be.
On a pool of N the weight of the sample of proxy rank i is
    sum over n of P(n) C(i - 1, n - 1) / C(N, n),
unbiased for the rule that never asks for more than N.
Deviations: equal proxy scores share their ranks' weights, and the KL knows ties. Numbers of samples
beyond the pool's size are left out of its weights and their probability shared among the others;
the KL has them. No gold is used; the paper's tuning by gold is hedgetune.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from overopt.methods.contract.selection import ScoredPool
from overopt.spec.declare import knob
from overopt.stats.pools import best_of_poisson

FAMILY = "selection"
KNOB = knob("mu", low=0.01, high=65536.0, raises_kl=True)
USES_GOLD = "none"


@dataclass(frozen=True)
class Config:
    """Best-of-Poisson has no setting besides its knob, the mean number of further samples."""


def weights(config: Config, pool: ScoredPool, knob: float) -> npt.NDArray[np.float64]:
    """Probability that each listed response is the best of 1 + Poisson(mu) draws, ties at random.

    Args:
        config: no setting.
        pool: B prompts with N responses each; proxies in SDs of the initial policy.
        knob: mu, at least 0.

    Returns:
        Shape (B, N); every row sums to 1.

    Reference:
        Inference-Time Reward Hacking in Large Language Models, https://arxiv.org/abs/2506.19248
    """
    return best_of_poisson.policy(pool.proxy_BN, pool.reference_BN, knob)


def unbiased_weights(config: Config, pool: ScoredPool, knob: float) -> npt.NDArray[np.float64]:
    """Probability that each sample is the best of those drawn from its pool, none twice.

    Args:
        config: no setting.
        pool: B prompts with N samples each; proxies in SDs of the initial policy.
        knob: mu, at least 0; n is given to be at most N.

    Returns:
        Shape (B, N); every row sums to 1.
    """
    return best_of_poisson.weights(pool.proxy_BN, knob)


def samples_used(config: Config, pool_samples: int, knob: float) -> int:
    """Samples that one response costs on average, 1 + mu, rounded up."""
    return math.ceil(1.0 + knob)
