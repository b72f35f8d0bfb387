"""MORE: populations of annotators weigh so that a step serves what they agree on.

Paper: Zeng et al. 2023, "On Diversified Preferences of Large Language Model Alignment"
(https://arxiv.org/abs/2312.07401), checked against the authors' released code. In a batch that
holds comparisons by n populations, g_i is the gradient of population i's mean Bradley-Terry loss in
the weights of the reward head alone:
    lambda = argmin over the simplex of |sum_i lambda_i g_i / |g_i||^2
    L = n sum_i lambda_i (sum of the losses of i) / (number of comparisons)
which is the common direction of descent of MGDA. ``equal`` is the paper's
baseline MultiTask, lambda_i = 1 / n. With one population both are Bradley-Terry. That it is well
calibrated is what the paper reports of it, and no part of it.
Which population labeled a comparison is known in tasks with annotators of different tastes, such as
reviews-annotators.
Deviations: weights are found by Frank-Wolfe in pairs, which comes closer than the code's plain form
in as many steps. The code keeps a running mean of gradients, of which 0.99 is the new one, that
starts from the head's weights; here gradients have no memory. Populations that a batch lacks have
no part in it, and n is how many it has; the paper's batches hold some of each.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid, normalize

from overopt.proxies.contract.heads import HeadShape, HeadStates, ReadBatch, given
from overopt.spec.declare import param

LABELS = ("annotator",)

_STEPS = 500


@dataclass(frozen=True)
class Config:
    """Settings of MORE."""

    members: int = param(1, help="reward models, same pairs, different seeds", at_least=1)
    equal: bool = param(False, help="weigh all populations alike, the baseline MultiTask")
    normalized: bool = param(True, help="divide each population's gradient by its length")


class ShownStates(nn.Module):
    """A linear reward, and beside it the state that it is read off, without gradient."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, 1, bias=False)

    def forward(self, states: HeadStates) -> Tensor:
        """Outputs (B, 1 + D)."""
        return torch.cat([self.linear(states.last_BD), states.last_BD.detach()], dim=1)


def make_head(config: Config, shape: HeadShape) -> ShownStates:
    """The linear head.

    Args:
        config: unused.
        shape: width of the trunk.
    """
    return ShownStates(shape.width)


def loss(config: Config, batch: ReadBatch) -> Tensor:
    """Bradley-Terry loss of each comparison, weighted by who has made it, nats, (P,).

    Args:
        config: how populations weigh.
        batch: rewards and states of both sides, and annotators.

    Reference:
        On Diversified Preferences, https://arxiv.org/abs/2312.07401
    """
    margin_P = batch.chosen_P - batch.rejected_P
    people_A, who_P = torch.unique(batch.labels["annotator"], return_inverse=True)
    if config.equal:
        weight_A = torch.full(people_A.shape, 1 / len(people_A)).to(margin_P)
    else:
        chosen_PC = given(batch.chosen.output_PC, "output_PC")
        apart_PD = (chosen_PC - given(batch.rejected.output_PC, "output_PC"))[:, 1:].detach()
        pull_PD = -torch.sigmoid(-margin_P.detach())[:, None] * apart_PD
        gradient_AD = torch.stack(
            [pull_PD[who_P == person].mean(0) for person in range(len(people_A))]
        )
        weight_A = shortest(normalize(gradient_AD, dim=1) if config.normalized else gradient_AD)
    return -len(people_A) * weight_A[who_P] * logsigmoid(margin_P)


def shortest(vector_AD: Tensor) -> Tensor:
    """Weights (A,) of the shortest mixture of vectors, at least 0, that add up to 1.

    By Frank-Wolfe in pairs, from equal weights: each exact step moves weight from the vector that
    points most along the mixture to the one that points least.
    """
    gram_AA = vector_AD @ vector_AD.T
    weight_A = torch.full_like(gram_AA[0], 1 / len(gram_AA))
    for _ in range(_STEPS):
        along_A = gram_AA @ weight_A
        to = along_A.argmin()
        away = along_A.masked_fill(weight_A == 0, -torch.inf).argmax()
        slope = along_A[away] - along_A[to]
        curvature = gram_AA[to, to] - 2 * gram_AA[to, away] + gram_AA[away, away]
        if slope <= 1e-9 or curvature <= 0:
            break
        step = torch.minimum(slope / curvature, weight_A[away])
        weight_A = weight_A.clone()
        weight_A[to] += step
        weight_A[away] = (weight_A[away] - step).clamp(min=0)
    return weight_A
