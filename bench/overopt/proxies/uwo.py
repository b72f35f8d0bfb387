"""Uncertainty-weighted optimization: the ensemble's mean, less a penalty where members disagree.

Paper: Coste et al. 2023, "Reward Model Ensembles Help Mitigate Overoptimization"
(https://arxiv.org/abs/2310.02743), uncertainty-weighted optimization, equation (5):
    R(x, y) = mean_i R_i(x, y) - lambda var_i R_i(x, y),   var = 1/M sum_i (R_i - mean)^2
The paper uses M = 5 and, under best-of-n, lambda = 0.5. Under PPO its value is not clear: the text
and the released code say 0.1, tables print 0.5.
Deviations: members are brought to mean 0 and SD 1 under the initial policy first, so that lambda
is in those units; one lambda, 0.5, is the default of every method.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from overopt.spec.declare import param


@dataclass(frozen=True)
class Config:
    """Settings of uncertainty-weighted optimization."""

    members: int = param(5, help="reward models, same pairs, different seeds", at_least=1)
    uncertainty_weight: float = param(
        0.5, help="lambda: price of the members' variance", unit="1/SD", at_least=0.0
    )


def combine(config: Config, score_MN: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Mean minus lambda times the population variance of the members, in initial-policy SDs.

    Args:
        config: number of members; lambda, per SD.
        score_MN: shape (M, N), in SDs of the initial policy.

    Returns:
        Shape (N,).

    Reference:
        Reward Model Ensembles Help Mitigate Overoptimization, uncertainty-weighted optimization,
        https://arxiv.org/abs/2310.02743
    """
    variance_N = score_MN.var(axis=0)
    return np.asarray(score_MN.mean(axis=0) - config.uncertainty_weight * variance_N, np.float64)
