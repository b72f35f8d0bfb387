"""Preference as reward: the chance that a response is preferred to a reference response.

Paper: Fu et al. 2025, "Reward Shaping to Mitigate Reward Hacking in RLHF"
(https://arxiv.org/abs/2502.18770), checked against the authors' released code:
    r_RL = 1/J sum_j sigmoid(k (r(x, y) - r(x, y_j))),   y_j ~ pi_ref,   k = 1
It is bounded, rises fast at first and levels off; the paper finds one reference enough, its code
takes 10 at most. r is in units in which differences are log-odds of a preference, as Bradley-Terry
trains it.
Against one reference it is increasing in r for each prompt, so that best-of-n chooses as by
``single``; it is in training that it differs, where gains on poor responses count for more.
Deviations: the result is recentered and scaled under the initial policy like any proxy's, so that
the bounds are other numbers than 0 and 1. References are drawn once for each prompt and seed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from overopt.spec.declare import param


@dataclass(frozen=True)
class Config:
    """Settings of preference as reward."""

    members: int = param(1, help="reward models, same pairs, different seeds", at_least=1)
    references: int = param(10, help="J, frozen responses of the initial policy", at_least=1)
    slope: float = param(1.0, help="k: how fast the reward levels off", above=0.0)


def transform(
    config: Config, score_N: npt.NDArray[np.float64], reference_NJ: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Mean chance of being preferred to the references, 0 to 1, (N,).

    Args:
        config: k.
        score_N: raw scores, log-odds.
        reference_NJ: those of the references.

    Reference:
        Reward Shaping to Mitigate Reward Hacking in RLHF, https://arxiv.org/abs/2502.18770
    """
    chance_NJ = expit(config.slope * (score_N[:, None] - reference_NJ))
    return np.asarray(chance_NJ.mean(axis=1), np.float64)
