"""Inference-time pessimism: reweight samples by how far their proxy score exceeds a threshold.

Paper: Huang et al. 2025, "Is Best-of-N the Best of Them? Coverage, Scaling, and Optimality in
Inference-Time Alignment" (https://arxiv.org/abs/2503.21878), the algorithm InferenceTimePessimism:
rejection sampling toward the chi^2-regularized optimum
    pi(y|x) = pi_ref(y|x) [ (r(x, y) - lambda(x)) / beta ]_+
whose normalization constant lambda(x) is computed from N samples so that the N weights average 1.
It maximizes E_pi[r] - beta/2 chi^2(pi || pi_ref), chi^2 = E_ref[(pi / pi_ref)^2] - 1, and does not
get worse with more samples. The algorithm's and equations' numbers were not verified.
Of n fresh samples the first is returned that passes with probability min(w / M, 1), where w is the
bracket and M its largest value; if none passes, one more sample is. With q = (1 - 1/M)^n that is
    (1 - q) pi + q pi_ref,
which needs no average over draws: this mixture is the policy, and its KL is the KL. With n > 0 KL
falls again at small beta, where M is so large that hardly any of n passes: budgets are met at betas
above that of the largest KL, and none below it.
Deviations: lambda and M come from the whole list of responses and not from n samples of their own,
M therefore from the highest score in it; n = 0 stands for as many samples as it takes, q = 0. On a
pool the weights are self-normalized, with the effective sample size beside their KL. r is in SDs of
the initial policy.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from overopt.methods.contract.selection import ScoredPool
from overopt.methods.math.pessimism import thresholds
from overopt.spec.declare import knob, param

FAMILY = "selection"
KNOB = knob("beta", low=0.001, high=1000.0, raises_kl=False)
USES_GOLD = "none"


@dataclass(frozen=True)
class Config:
    """Settings of inference-time pessimism."""

    n: int = param(
        0,
        help="fresh samples that rejection sampling may look at; 0 for as many as it takes",
        unit="samples",
        at_least=0,
    )


def weights(config: Config, pool: ScoredPool, knob: float) -> npt.NDArray[np.float64]:
    """Probability of each listed response: pi_ref ((1 - q) [(r - lambda) / beta]_+ + q).

    Args:
        config: n.
        pool: B prompts with N responses each; proxies in SDs of the initial policy.
        knob: beta, above 0, in the same SDs.

    Returns:
        Shape (B, N); every row sums to 1.

    Raises:
        ValueError: if beta is not above 0.

    Reference:
        Is Best-of-N the Best of Them?, https://arxiv.org/abs/2503.21878
    """
    lambda_B1 = thresholds(pool.proxy_BN, pool.reference_BN, knob)
    excess_BN = np.maximum(pool.proxy_BN - lambda_B1, 0.0)
    target_BN = pool.reference_BN * excess_BN
    mean_B1 = target_BN.sum(axis=1, keepdims=True)
    if config.n == 0:
        return np.asarray(target_BN / mean_B1, np.float64)
    listed_BN = np.where(pool.reference_BN > 0, excess_BN, 0.0)
    passing_B1 = mean_B1 / listed_BN.max(axis=1, keepdims=True)  # 1 / M
    fallback_B1 = (1.0 - passing_B1) ** config.n
    mixed_BN = (1.0 - fallback_B1) * target_BN / mean_B1 + fallback_B1 * pool.reference_BN
    return np.asarray(mixed_BN, np.float64)


def samples_used(config: Config, pool_samples: int, knob: float) -> int:
    """Samples that one response costs: as many for lambda as for rejection, or the whole pool."""
    return 2 * config.n or pool_samples
