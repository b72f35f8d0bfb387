"""AdvPO: the reward of the least favorable last layer in a confidence region.

Analogue: the paper's equations are from memory, and its minimum is taken response by response.
Paper: Zhang et al. 2024, "Mitigating Reward Overoptimization via Lightweight Uncertainty
Estimation" (https://arxiv.org/abs/2403.05171), whose abstract was read. The last layer w of a
trained reward model is known up to a region that its states h tell,
    {v: (v - w)^T M (v - w) <= B},   M = c I + sum over both sides of all comparisons of h h^T
and a policy is trained against the member of the region that is least favorable to its lead over
reference responses. For one response over the mean state z of reference responses that is
    R = min over v of v . (h - z) = w . (h - z) - sqrt(B) sqrt((h - z)^T M^-1 (h - z))
which is what is computed here; z is the mean of the preferred responses. B is s^2 times the width
of the state: at s = 1 the region holds about half of a normal posterior of precision M.
Deviations: the paper takes one least favorable layer for the whole policy, from the mean state of
its responses in training; that is no reward of a response, depends on the policy, and is less
pessimistic than a minimum for each. Its reference responses belong to the prompt; here one mean
stands for all. Its values of c and B were not seen.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from overopt.proxies.contract.heads import HeadShape, HeadStates, ReadBatch, TrainedStates
from overopt.spec.declare import param


@dataclass(frozen=True)
class Config:
    """Settings of the confidence region."""

    members: int = param(1, help="reward models, same pairs, different seeds", at_least=1)
    radius: float = param(
        1.0, help="s: of the region, in roots of the state's width; 0 is Bradley-Terry",
        at_least=0.0,
    )  # fmt: skip
    ridge: float = param(1.0, help="c: precision of a weight before comparisons", above=0.0)


class Region(nn.Module):
    """Outputs are the least favorable reward, and how far it lies below the trained one."""

    def __init__(self, width: int, radius: float) -> None:
        super().__init__()
        self.linear = nn.Linear(width, 1, bias=False)
        self.radius = radius * math.sqrt(width)
        self.inverse_DD: Tensor
        self.center_D: Tensor
        self.register_buffer("inverse_DD", torch.zeros(width, width))
        self.register_buffer("center_D", torch.zeros(width))

    def forward(self, states: HeadStates) -> Tensor:
        """Outputs (B, 2); the second is 0 before the region is known."""
        lead_BD = states.last_BD - self.center_D
        reward_B = self.linear(lead_BD).squeeze(1)
        away_BD = lead_BD.detach()
        square_B = torch.einsum("bd,de,be->b", away_BD, self.inverse_DD, away_BD)
        below_B = self.radius * square_B.clamp(min=0).sqrt()
        return torch.stack([reward_B - below_B, below_B], dim=1)


def make_head(config: Config, shape: HeadShape) -> Region:
    """The linear head.

    Args:
        config: size of the region.
        shape: width of the trunk.
    """
    return Region(shape.width, config.radius)


def loss(config: Config, batch: ReadBatch) -> Tensor:
    """Bradley-Terry loss of each comparison, nats, (P,).

    Args:
        config: unused.
        batch: rewards of both sides; there is no region yet.

    Reference:
        Analogue of AdvPO, https://arxiv.org/abs/2403.05171
    """
    return -logsigmoid(batch.chosen_P - batch.rejected_P)


def settle(config: Config, head: Region, trained: TrainedStates) -> None:
    """The region's shape, and the reference state.

    Args:
        config: ridge.
        head: trained; it is told its region.
        trained: states of both sides of the comparisons.

    Reference:
        Analogue of AdvPO, https://arxiv.org/abs/2403.05171
    """
    with torch.no_grad():
        both_ND = torch.cat([trained.chosen.last_BD, trained.rejected.last_BD]).double()
        precision_DD = both_ND.T @ both_ND + config.ridge * torch.eye(both_ND.shape[1]).to(both_ND)
        head.inverse_DD.copy_(torch.linalg.inv(precision_DD))
        head.center_D.copy_(trained.chosen.last_BD.mean(0))
