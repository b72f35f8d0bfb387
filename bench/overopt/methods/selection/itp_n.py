"""Inference-time pessimism along n: thresholds from n samples, rejection of n more, at one beta.

Paper: Huang et al. 2025, "Is Best-of-N the Best of Them? Coverage, Scaling, and Optimality in
Inference-Time Alignment" (https://arxiv.org/abs/2503.21878), the algorithm InferenceTimePessimism.
With lambda so that [(r - lambda) / beta]_+ averages 1 over n samples, and M = (R_max - lambda) /
beta, the first of n fresh samples is returned that passes with probability
    a(y) = [(r(y) - lambda) / beta]_+ / M = [r(y) - lambda]_+ / (R_max - lambda);
if none passes, one more sample is. Given lambda that is, with A = E_ref[a] and q = (1 - A)^n,
    pi(y) = pi_ref(y) ((1 - q) a(y) / A + q),
and the policy is its mean over the n samples behind lambda. ``itp`` goes along beta instead.
Equation numbers were not verified; which beta the paper's experiments have was not seen.
Deviations: R_max is the highest score of the prompt's list, where the paper has a bound that is
known before; the mean over the n samples is taken over ``draws`` of them, which begin alike at all
n, so that KL is a smooth function of n. KL comes to rest with n, and n goes on beyond: some n have
a point whatever their KL. Where scores tie, KL can rise above that of many samples and fall to it:
budgets are then met up to the n of largest KL among these. r is in SDs of the initial policy.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from overopt.methods.contract.selection import ScoredPool
from overopt.methods.math.pessimism import thresholds
from overopt.spec.declare import knob, param
from overopt.stats.arrays import Floats
from overopt.stats.pools.draws import scores_of_draws

FAMILY = "selection"
KNOB = knob(
    "n", low=1.0, high=256.0, raises_kl=True, whole=True, also=(1.0, 4.0, 16.0, 64.0, 256.0)
)
USES_GOLD = "none"


@dataclass(frozen=True)
class Config:
    """Settings of inference-time pessimism along n."""

    beta: float = param(0.5, help="price of leaving the initial policy", unit="SDs", above=0.0)
    draws: int = param(32, help="draws of n over which the threshold is averaged", at_least=1)


def weights(config: Config, pool: ScoredPool, knob: float) -> Floats:
    """Probability of each listed response, the mean of pi over draws of the threshold.

    Args:
        config: beta, draws.
        pool: B prompts with N responses each; proxies in SDs of the initial policy.
        knob: n.

    Returns:
        Shape (B, N); every row sums to 1.

    Reference:
        Is Best-of-N the Best of Them?, https://arxiv.org/abs/2503.21878
    """
    n = int(knob)
    score_BN, reference_BN = pool.proxy_BN, pool.reference_BN
    highest_B1 = np.where(reference_BN > 0, score_BN, -np.inf).max(axis=1, keepdims=True)
    total_BN = np.zeros_like(reference_BN)
    for drawn_Bn in scores_of_draws(score_BN, reference_BN, n, config.draws):
        lambda_B1 = thresholds(drawn_Bn, np.full(drawn_Bn.shape, 1.0 / n), config.beta)
        passes_BN = np.maximum(score_BN - lambda_B1, 0.0) / (highest_B1 - lambda_B1)
        reached_BN = reference_BN * np.minimum(passes_BN, 1.0)  # what has no probability may exceed
        any_B1 = reached_BN.sum(axis=1, keepdims=True)
        none_B1 = (1.0 - np.minimum(any_B1, 1.0)) ** n
        total_BN += (1.0 - none_B1) * reached_BN / any_B1 + none_B1 * reference_BN
    return np.asarray(total_BN / config.draws, np.float64)


def samples_used(config: Config, pool_samples: int, knob: float) -> int:
    """Samples that one response costs: n for the threshold, n to choose from."""
    return 2 * int(knob)
