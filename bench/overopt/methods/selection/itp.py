"""Inference-time pessimism: reweight samples by how far their proxy score exceeds a threshold.

Paper: Huang et al. 2025, "Is Best-of-N the Best of Them? Coverage, Scaling, and Optimality in
Inference-Time Alignment", the algorithm InferenceTimePessimism: rejection sampling toward the
chi^2-regularized optimum
    pi(y|x) = pi_ref(y|x) [ (r(x, y) - lambda(x)) / beta ]_+
whose normalization constant lambda(x) is computed from N samples so that the N weights average 1.
It maximizes E_pi[r] - beta/2 chi^2(pi || pi_ref), chi^2 = E_ref[(pi / pi_ref)^2] - 1, and does not
get worse with more samples. The algorithm's and equations' numbers were not verified.
Deviations: the expectation under the normalized weights of the whole pool stands for the rejection
sampler, whose own bias at finite N is not simulated. The KL is the weights' own, with the
effective sample size beside it. r is in SDs of the initial policy.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from overopt.methods.contract.selection import ScoredPool
from overopt.spec.declare import knob

FAMILY = "selection"
KNOB = knob("beta", low=0.001, high=1000.0, raises_kl=False)
USES_GOLD = "none"


@dataclass(frozen=True)
class Config:
    """Inference-time pessimism has no setting besides its knob, the regularization beta."""


def thresholds(proxy_BN: npt.NDArray[np.float64], beta: float) -> npt.NDArray[np.float64]:
    """lambda of each prompt: mean over its samples of [(r - lambda) / beta]_+ is 1, reward SDs.

    With the k best samples above it, lambda_k = (sum of their scores - N beta) / k; the right k is
    the largest one whose k-th best score lies above lambda_k.

    Args:
        proxy_BN: proxy scores, shape (B, N).
        beta: reward SDs.

    Returns:
        Shape (B, 1).
    """
    ordered_BN = -np.sort(-proxy_BN, axis=1)
    samples = proxy_BN.shape[1]
    rank_N = np.arange(1, samples + 1)
    lambda_BN = (ordered_BN.cumsum(axis=1) - samples * beta) / rank_N
    above_B = (ordered_BN > lambda_BN).sum(axis=1)
    chosen_B1: npt.NDArray[np.float64] = lambda_BN[np.arange(len(proxy_BN)), above_B - 1][:, None]
    return chosen_B1


def weights(config: Config, pool: ScoredPool, knob: float) -> npt.NDArray[np.float64]:
    """Probability of each sample: [(r - lambda) / beta]_+ / N.

    Args:
        config: no setting.
        pool: proxy scores, shape (B, N), in SDs of the initial policy.
        knob: beta, above 0, in the same SDs.

    Returns:
        Shape (B, N); every row sums to 1.

    Raises:
        ValueError: if beta is not above 0.

    Reference:
        Is Best-of-N the Best of Them?, https://arxiv.org/abs/2503.21878
    """
    if not knob > 0:
        raise ValueError(f"beta of inference-time pessimism must be above 0, got {knob}")
    excess_BN = np.maximum(pool.proxy_BN - thresholds(pool.proxy_BN, knob), 0.0)
    weight_BN: npt.NDArray[np.float64] = excess_BN / excess_BN.sum(axis=1, keepdims=True)
    return weight_BN


def samples_used(config: Config, pool_samples: int, knob: float) -> int:
    """Samples that one response costs: the whole pool, from which lambda is computed."""
    return pool_samples
