"""Worst-case optimization: the reward is what the least favorable member of an ensemble says.

Paper: Coste et al. 2023, "Reward Model Ensembles Help Mitigate Overoptimization"
(https://arxiv.org/abs/2310.02743), worst-case optimization, equation (4):
    R(x, y) = min_i R_i(x, y),   M = 5 members, same pairs, different seeds
Deviations: members are brought to mean 0 and SD 1 under the initial policy before the minimum is
taken; without it the minimum would follow whichever member has the lowest offset.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from overopt.spec.declare import param


@dataclass(frozen=True)
class Config:
    """Settings of worst-case optimization."""

    members: int = param(5, help="reward models, same pairs, different seeds", at_least=1)


def combine(config: Config, score_MN: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Lowest score of the members, in SDs of the initial policy.

    Args:
        config: number of members.
        score_MN: shape (M, N), in SDs of the initial policy.

    Returns:
        Shape (N,).

    Reference:
        Reward Model Ensembles Help Mitigate Overoptimization, worst-case optimization,
        https://arxiv.org/abs/2310.02743
    """
    return np.asarray(score_MN.min(axis=0), np.float64)
