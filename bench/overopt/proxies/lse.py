"""Soft minimum: the entropic mean of the members, between their minimum and their mean.

Paper: Hahami et al. 2026, "A Unifying Lens on Reward Uncertainty in RLHF"
(https://arxiv.org/abs/2606.09073), equations (8) and (14), and the Gaussian form (10) and (15),
which the authors recommend for few members:
    R = -b log(1/M sum_i exp(-R_i / b));   Gaussian: R = mean - s^2 / (2 b), s^2 with M - 1
b -> infinity gives the mean, b -> 0 the minimum. The Gaussian form can fall below the minimum.
Deviations: the paper ties b to the KL coefficient of the policy's training; here b is a setting,
in SDs of the initial policy, since members are brought to that scale.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import logsumexp

from overopt.spec.declare import param


@dataclass(frozen=True)
class Config:
    """Settings of the soft minimum."""

    members: int = param(5, help="reward models, same pairs, different seeds", at_least=1)
    temperature: float = param(1.0, help="b: from the minimum to the mean", unit="SD", above=0.0)
    gaussian: bool = param(False, help="the Gaussian form, from mean and variance")


def combine(config: Config, score_MN: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Entropic mean of the members, or its Gaussian form, in initial-policy SDs.

    Args:
        config: number of members, b, which form.
        score_MN: shape (M, N), in SDs of the initial policy.

    Returns:
        Shape (N,).

    Reference:
        A Unifying Lens on Reward Uncertainty in RLHF, https://arxiv.org/abs/2606.09073
    """
    members = len(score_MN)
    if config.gaussian:
        spread_N = score_MN.var(axis=0, ddof=1) if members > 1 else np.zeros(score_MN.shape[1])
        reward_N = score_MN.mean(axis=0) - spread_N / (2.0 * config.temperature)
    else:
        mean_exp_N = logsumexp(-score_MN / config.temperature, axis=0) - np.log(members)
        reward_N = -config.temperature * mean_exp_N
    return np.asarray(reward_N, np.float64)
