"""Best-of-n: draw n responses of the initial policy and keep the one that the proxy likes most.

Paper: Nakano et al. 2021, "WebGPT: Browser-assisted question-answering with human feedback"
(https://arxiv.org/abs/2112.09332), App. I (the estimator over a fixed pool); Gao, Schulman and
Hilton 2022, "Scaling Laws for Reward Model Overoptimization" (https://arxiv.org/abs/2210.10760),
section 2 (its use against a proxy).
    weight of the sample of proxy rank i among N:  C(i - 1, n - 1) / C(N, n)
    probability of a response of proxy s:  (F(s)^n - F(s-)^n) shared among the responses of proxy s
    KL(best of n || initial) <= log n - (n - 1) / n   (Beirami et al. 2024, exact without ties)
Deviations: equal proxy scores share their ranks' weights equally (the expectation under ties
broken at random; the estimator's paper has no ties). The KL is the policy's own, which knows ties;
the bound stands beside it. A KL budget is met by the whole n >= 2 whose KL is nearest.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from overopt.methods.contract.selection import ScoredPool
from overopt.spec.declare import knob
from overopt.stats.pools import best_of_n
from overopt.stats.pools.listed import by_quantile

FAMILY = "selection"
KNOB = knob("n", low=2.0, high=65536.0, raises_kl=True, whole=True)
USES_GOLD = "none"


@dataclass(frozen=True)
class Config:
    """Best-of-n has no setting besides its knob, the number n of samples to choose from."""


def weights(config: Config, pool: ScoredPool, knob: float) -> npt.NDArray[np.float64]:
    """Probability that each listed response is the best of ``knob`` draws, ties at random.

    Args:
        config: no setting.
        pool: B prompts with N responses each; proxies in SDs of the initial policy.
        knob: n, at least 1.

    Returns:
        Shape (B, N); every row sums to 1.
    """
    return by_quantile(pool.proxy_BN, pool.reference_BN, lambda u: u**knob)


def unbiased_weights(config: Config, pool: ScoredPool, knob: float) -> npt.NDArray[np.float64]:
    """Probability that each sample is the best of ``knob`` drawn from its pool, none twice.

    Args:
        config: no setting.
        pool: B prompts with N samples each; proxies in SDs of the initial policy.
        knob: n, a whole number in 1..N.

    Returns:
        Shape (B, N); every row sums to 1.

    Raises:
        ValueError: if n lies outside 1..N.

    Reference:
        WebGPT: Browser-assisted question-answering with human feedback, App. I,
        https://arxiv.org/abs/2112.09332
    """
    return best_of_n.weights(pool.proxy_BN, int(knob))


def samples_used(config: Config, pool_samples: int, knob: float) -> int:
    """Samples that one response costs: n."""
    return int(knob)


def kl_bound_nats(config: Config, knob: float) -> float:
    """Upper bound of KL(best of n || initial policy), log n - (n - 1)/n, in nats.

    Args:
        config: no setting.
        knob: n, at least 1.

    Reference:
        Theoretical guarantees on the best-of-n alignment policy,
        https://arxiv.org/abs/2401.01879
    """
    return float(best_of_n.kl_bound(knob))
