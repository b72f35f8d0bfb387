"""The mean of an ensemble of reward models trained on the same pairs from different seeds.

Paper: Coste et al. 2023, "Reward Model Ensembles Help Mitigate Overoptimization"
(https://arxiv.org/abs/2310.02743), "mean optimization", equation (3):
    R(x, y) = 1/M sum_i R_i(x, y),   M = 5
Deviations: members are brought to mean 0 and SD 1 under the initial policy before they are
averaged, so that none counts more for having a larger scale.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from overopt.spec.declare import param


@dataclass(frozen=True)
class Config:
    """Settings of the mean of an ensemble."""

    members: int = param(5, help="reward models, same pairs, different seeds", at_least=1)


def combine(config: Config, score_MN: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Mean score of the members, in SDs of the initial policy.

    Args:
        config: number of members.
        score_MN: shape (M, N), in SDs of the initial policy.

    Returns:
        Shape (N,).

    Reference:
        Reward Model Ensembles Help Mitigate Overoptimization, mean optimization,
        https://arxiv.org/abs/2310.02743
    """
    return np.asarray(score_MN.mean(axis=0), np.float64)
