"""A single reward model as the reward: the proxy that overoptimization is first measured on.

Paper: Gao, Schulman and Hilton 2022, "Scaling Laws for Reward Model Overoptimization"
(https://arxiv.org/abs/2210.10760), section 2: a Bradley-Terry reward model trained on gold-labeled
pairs, recentered under the initial policy.
Deviations: the score is also divided by its SD under the initial policy, as every member's is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from overopt.spec.declare import param


@dataclass(frozen=True)
class Config:
    """A single reward model has no setting."""

    members: int = param(1, help="reward models; a single one", at_least=1, at_most=1)


def combine(config: Config, score_MN: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The one member's score, in SDs of the initial policy.

    Args:
        config: members = 1.
        score_MN: shape (1, N), in SDs of the initial policy.

    Returns:
        Shape (N,).

    Raises:
        ValueError: if there is more than one member.

    Reference:
        Scaling Laws for Reward Model Overoptimization, section 2,
        https://arxiv.org/abs/2210.10760
    """
    if score_MN.shape[0] != 1:
        raise ValueError(f"a single reward model has 1 member, got {score_MN.shape[0]}")
    return np.array(score_MN[0], np.float64)
