"""Soft best-of-n: draw n responses and sample one of them by a softmax of their proxy scores.

Paper: Verdun et al. 2025, "Soft Best-of-n Sampling for Model Alignment": of n samples of the
initial policy, the i-th is returned with probability
    exp(r_i / t) / sum_j exp(r_j / t)
t -> 0 is best-of-n, t -> infinity the initial policy, and n -> infinity the tilted distribution
pi_ref(y) exp(r(y) / t) / Z. Definition number not verified.
Deviations: the knob is the temperature t at a fixed n; n = 0 stands for the whole pool, whose
weights are self-normalized. For 0 < n < N the pool is cut into N // n groups of n samples each,
in the order they were drawn, and the weight of a sample is its probability within its group over
the number of groups: an unbiased estimate of the expectation over n fresh samples. The KL is the
weights' own, with the effective sample size beside it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import softmax

from overopt.methods.contract.selection import ScoredPool
from overopt.spec.declare import knob, param

FAMILY = "selection"
KNOB = knob("temperature", low=0.01, high=100.0, raises_kl=False)
USES_GOLD = "none"


@dataclass(frozen=True)
class Config:
    """Settings of soft best-of-n."""

    n: int = param(
        0, help="samples to choose from; 0 for the whole pool", unit="samples", at_least=0
    )


def weights(config: Config, pool: ScoredPool, knob: float) -> npt.NDArray[np.float64]:
    """Probability that each sample is returned, at temperature ``knob`` in reward SDs.

    Args:
        config: n.
        pool: proxy scores, shape (B, N), in SDs of the initial policy.
        knob: temperature t, above 0.

    Returns:
        Shape (B, N); every row sums to 1, and samples outside the last whole group get 0.

    Raises:
        ValueError: if n is larger than the pool, or the temperature is not above 0.

    Reference:
        Soft Best-of-n Sampling for Model Alignment, https://arxiv.org/abs/2505.03156
    """
    prompts, samples = pool.proxy_BN.shape
    n = config.n or samples
    if n > samples or not knob > 0:
        raise ValueError(f"n = {n} of {samples} samples at temperature {knob}")
    groups = samples // n
    grouped_BGn = pool.proxy_BN[:, : groups * n].reshape(prompts, groups, n)
    weight_BN = np.zeros((prompts, samples))
    chance_BGn = softmax(grouped_BGn / knob, axis=-1) / groups
    weight_BN[:, : groups * n] = chance_BGn.reshape(prompts, -1)
    return weight_BN


def samples_used(config: Config, pool_samples: int, knob: float) -> int:
    """Samples that one response costs: n, or the whole pool."""
    return config.n or pool_samples
