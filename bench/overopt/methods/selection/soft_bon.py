"""Soft best-of-n: draw n responses and sample one of them by a softmax of their proxy scores.

Paper: Verdun et al. 2025, "Soft Best-of-n Sampling for Model Alignment"
(https://arxiv.org/abs/2505.03156): of n samples of the initial policy, the i-th is returned with
probability
    exp(r_i / t) / sum_j exp(r_j / t)
t -> 0 is best-of-n, t -> infinity the initial policy, and n -> infinity the tilted distribution
pi_ref(y) exp(r(y) / t) / Z. Definition number not verified.
Deviations: the knob is the temperature t at a fixed n, in SDs of the initial policy; n = 0 stands
for infinitely many, that is the tilted distribution, with self-normalized weights on a pool. The KL
is that of the policy, averaged over what is drawn beside a response, and not that of the softmax
within a draw (at n = 2 and t -> 0: .193 nats, not log 2).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import softmax

from overopt.methods.contract.selection import ScoredPool
from overopt.spec.declare import knob, param
from overopt.stats.pools import soft_best_of_n

FAMILY = "selection"
KNOB = knob("temperature", low=0.01, high=100.0, raises_kl=False)
USES_GOLD = "none"


@dataclass(frozen=True)
class Config:
    """Settings of soft best-of-n."""

    n: int = param(
        0, help="samples to choose from; 0 for infinitely many", unit="samples", at_least=0
    )


def draw_size(config: Config, knob: float) -> int:
    """Responses that are drawn: n."""
    return config.n


def draw_weights(config: Config, draws: ScoredPool, knob: float) -> npt.NDArray[np.float64]:
    """Probability that each of the n responses of a draw is returned.

    Args:
        config: n.
        draws: proxy scores, shape (D, n), in SDs of the initial policy.
        knob: temperature t, above 0, in the same SDs.

    Returns:
        Shape (D, n); every row sums to 1.

    Reference:
        Soft Best-of-n Sampling for Model Alignment, https://arxiv.org/abs/2505.03156
    """
    return np.asarray(softmax(draws.proxy_BN / knob, axis=1), np.float64)


def weights(config: Config, pool: ScoredPool, knob: float) -> npt.NDArray[np.float64]:
    """Probability that each listed response is returned, over all draws (an exact integral).

    Args:
        config: n.
        pool: B prompts with N responses each; proxies in SDs of the initial policy.
        knob: temperature t, above 0, in the same SDs.

    Returns:
        Shape (B, N); every row sums to 1.

    Raises:
        ValueError: if the temperature is not above 0.
    """
    return soft_best_of_n.policy(pool.proxy_BN, pool.reference_BN, config.n or None, knob)


def samples_used(config: Config, pool_samples: int, knob: float) -> int:
    """Samples that one response costs: n, or the whole pool."""
    return config.n or pool_samples
