"""Pretrain ensemble: members differ from their pretraining on, not by fine-tuning only.

Paper: Eisenstein et al. 2023, "Helping or Herding? Reward Model Ensembles Mitigate but do not
Eliminate Reward Hacking" (https://arxiv.org/abs/2312.09244) (abstract and notes on it; the paper's
text was not seen): ensembles whose members vary in their pretraining seeds generalize better than
those that vary in fine-tuning seeds only, and both can still be hacked where all members err alike.
The members' scores are combined by mean, median or minimum.
Pretraining is here the training of the initial policy on reference texts: member 0 starts from the
initial policy that is optimized, each other one from a policy that the same recipe trains from
another seed, weights and texts. The ensemble of fine-tuning seeds to compare with is ``mean``,
``wco`` or ``uwo`` with --proxy-start policy.
Deviations: pretraining is on as few texts as the initial policy's. For tasks that train their
initial policy from scratch.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from overopt.spec.declare import param

START = "policies"


@dataclass(frozen=True)
class Config:
    """Settings of the pretrain ensemble."""

    members: int = param(5, help="reward models, same pairs, other pretraining seeds", at_least=1)
    over: str = param(
        "mean", help="what is made of the members' scores", one_of=("mean", "median", "min")
    )


def combine(config: Config, score_MN: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Mean, median or minimum of the members, in SDs of the initial policy, (N,).

    Args:
        config: which.
        score_MN: shape (M, N), in SDs of the initial policy.

    Reference:
        Helping or Herding?, https://arxiv.org/abs/2312.09244
    """
    if config.over == "mean":
        return np.asarray(score_MN.mean(axis=0), np.float64)
    if config.over == "median":
        return np.asarray(np.median(score_MN, axis=0), np.float64)
    return np.asarray(score_MN.min(axis=0), np.float64)
