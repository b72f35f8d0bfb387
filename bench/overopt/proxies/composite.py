"""Composite reward: a weighted sum of reward models, each of which learns one attribute.

Paper: Moskovitz et al. 2023, "Confronting Reward Model Overoptimization with Constrained RLHF"
(https://arxiv.org/abs/2310.04373), eq. 3.1: r = sum_i a_i r_i with fixed weights a_i over component
reward models r_i; the weights are what its constrained methods replace by multipliers. Member m
learns, by the Bradley-Terry loss, which side of each pair is better by the m-th term of the gold
rule; pairs of equal sides teach it nothing. Its labels go through the run's noise.
Deviations: the paper's components are metrics and classifiers that exist; here they are proxies
like any other, of comparisons by one attribute, which gold alone can tell. With fewer members than
the rule has terms the last terms have no part. Weights are relative, so that a reward stays in SDs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from torch import Tensor
from torch.nn.functional import logsigmoid

from overopt.proxies.contract.heads import ReadBatch
from overopt.spec.declare import param

LABELS = ("terms",)
USES_GOLD = "training"


@dataclass(frozen=True)
class Config:
    """Settings of the composite reward."""

    members: int = param(3, help="terms of the gold rule, in its order, one proxy each", at_least=1)
    weights: str = param("", help="weights, separated by commas such as 0.5,1,1; equal if empty")


def loss(config: Config, batch: ReadBatch) -> Tensor:
    """Bradley-Terry loss of each pair by the member's term, nats, (P,); 0 where sides are equal.

    Args:
        config: unused.
        batch: rewards, differentiable; terms (P, K): 1 or -1 for the side that is better, or 0.

    Raises:
        ValueError: the rule has no term for this member.

    Reference:
        Confronting Reward Model Overoptimization, eq. 3.1, https://arxiv.org/abs/2310.04373
    """
    terms_PK = batch.labels["terms"]
    if batch.member >= terms_PK.shape[1]:
        raise ValueError(
            f"member {batch.member} has no term: the gold rule has {terms_PK.shape[1]}; set members"
        )
    better_P = terms_PK[:, batch.member]
    return -better_P.abs() * logsigmoid(better_P * (batch.chosen_P - batch.rejected_P))


def combine(config: Config, score_MN: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Weighted mean of the members' scores, in SDs of the initial policy, (N,).

    Args:
        config: weights.
        score_MN: each member's scores.

    Raises:
        ValueError: weights are not one number for each member, at least 0 and not all 0.

    Reference:
        Confronting Reward Model Overoptimization, eq. 3.1, https://arxiv.org/abs/2310.04373
    """
    weight_M = np.ones(len(score_MN))
    if config.weights:
        weight_M = np.array([float(word) for word in config.weights.split(",")])
    finite = np.isfinite(weight_M).all()
    if len(weight_M) != len(score_MN) or not finite or weight_M.min() < 0 or weight_M.max() == 0:
        raise ValueError(
            f"weights = {config.weights}: give one number for each of {len(score_MN)} members, at "
            "least 0 and not all 0"
        )
    combined_N: npt.NDArray[np.float64] = weight_M @ score_MN / weight_M.sum()
    return combined_N
