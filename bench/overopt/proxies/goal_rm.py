"""Goal-conditioned reward model: states of a preferred response are made to point to its end.

Paper: Nath et al. 2024, "Learning Goal-Conditioned Representations for Language Reward Models"
(https://arxiv.org/abs/2407.13887), checked against the authors' released code. A contrastive loss
on states of the last layer stands beside Bradley-Terry:
    L = -log sigmoid(r_w - r_l) + b [-log mean_ij sigmoid(cos(s_i, g_j))
                                     - log(1 - mean_ij sigmoid(cos(s'_i, g'_j)))],   b = 0.5
s_i and g_j are states of the preferred response at 16 random places each, of which the source comes
before its goal; s'_i are of the preferred response and g'_j of the other, at random places. With
``averaged`` goals are averaged before the cosine is taken ("cosine_avg"). A sigmoid of a cosine
lies between 0.269 and 0.731, so that the term never vanishes: it is at least 0.313 each.
The reward is a linear head at the last token. The likeness to a goal, by which the paper also
filters and steers, has no part in it.
Deviations: means of sigmoids are over the places of one pair, and logarithms are averaged over
pairs; the code takes the mean over all of a batch first, then the logarithm, so that its loss is
lower by Jensen's inequality. It takes percentiles of places as arguments, here all are drawn alike.
Members start from what the task says; the paper's is a pretrained model.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid, normalize

from overopt.proxies.contract.heads import HeadShape, HeadStates, ReadBatch, Reading, given
from overopt.spec.declare import param

INPUTS = ("states",)


@dataclass(frozen=True)
class Config:
    """Settings of the goal-conditioned reward model."""

    members: int = param(1, help="reward models, same pairs, different seeds", at_least=1)
    weight: float = param(0.5, help="b: of the contrastive loss", at_least=0.0)
    places: int = param(16, help="sources and goals drawn of each response", at_least=1)
    averaged: bool = param(False, help="average the goals before the cosine")


class LastToken(nn.Module):
    """A linear reward of the state at the response's last token."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, 1, bias=False)

    def forward(self, states: HeadStates) -> Tensor:
        """Reward (B, 1)."""
        reward_B1: Tensor = self.linear(states.last_BD)
        return reward_B1


def make_head(config: Config, shape: HeadShape) -> LastToken:
    """The linear head.

    Args:
        config: unused.
        shape: width of the trunk.
    """
    return LastToken(shape.width)


def loss(config: Config, batch: ReadBatch) -> Tensor:
    """Bradley-Terry and contrastive loss of each comparison, nats, (P,).

    Args:
        config: b, how many places, which cosine.
        batch: rewards of both sides and states at their tokens.

    Reference:
        Learning Goal-Conditioned Representations, https://arxiv.org/abs/2407.13887
    """
    ahead_2PK = torch.rand(2, len(batch.chosen_P), config.places, device=batch.chosen_P.device)
    source_PK, goal_PK = ahead_2PK.sort(dim=0).values
    start_PK, end_PK = torch.rand_like(source_PK), torch.rand_like(source_PK)
    like_P = likeness(config, states_at(batch.chosen, source_PK), states_at(batch.chosen, goal_PK))
    unlike_P = likeness(
        config, states_at(batch.chosen, start_PK), states_at(batch.rejected, end_PK)
    )
    contrast_P = -like_P.log() - (1 - unlike_P).log()
    return -logsigmoid(batch.chosen_P - batch.rejected_P) + config.weight * contrast_P


def states_at(side: Reading, place_PK: Tensor) -> Tensor:
    """States (P, K, D) at places of a response, from 0, its first token, to below 1, its last."""
    state_PTD, length_P = given(side.state_PTD, "state_PTD"), given(side.length_P, "length_P")
    index_PK = (place_PK * length_P[:, None]).long().clamp(max=state_PTD.shape[1] - 1)
    return state_PTD.gather(1, index_PK[:, :, None].expand(-1, -1, state_PTD.shape[2]))


def likeness(config: Config, source_PKD: Tensor, goal_PKD: Tensor) -> Tensor:
    """Mean sigmoid of the cosines between all sources and all goals of a pair, (P,)."""
    if config.averaged:
        goal_PKD = goal_PKD.mean(1, keepdim=True)
    cosine_PKK = normalize(source_PKD, dim=2) @ normalize(goal_PKD, dim=2).transpose(1, 2)
    return torch.sigmoid(cosine_PKK).mean((1, 2))
