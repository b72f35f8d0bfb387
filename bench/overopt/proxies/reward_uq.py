"""Bayesian last layer: the reward, less what its linear head may be wrong by.

Paper: Yang et al. 2026, "RewardUQ: Uncertainty-Aware Reward Models"
(https://arxiv.org/abs/2602.24040), its Bayesian linear head, checked against the authors' released
code (the paper's own text was not seen):
    H = c I + sum over comparisons of p (1 - p) x x^T,   x = h_w - h_l,   p = sigmoid(w . x)
    R = w . h - k sqrt(h^T H^-1 h)
The head w is trained by Bradley-Terry; H, the curvature of that loss with a ridge, is the precision
of the posterior's Laplace approximation, taken once after training, with c = 1e-5 and k = 1.
``weighted = false`` leaves p (1 - p) out, as the code's configuration does, with k = 0.5. With
k = 0 it is Bradley-Terry.
A comparison does not tell where all rewards are, so that the SD of h itself, which the code takes
off, is mostly of what no comparison sees. Where the trunk ends in a LayerNorm, as in generated
worlds, all states are equal along one direction: no difference sees it, and its variance is 1/c.
Over five seeds, SDs of 2.3 to 9.5 varied by 0.05 to 0.06 between responses of the initial policy,
and R had rank correlations of 0.949 to 0.996 with w . h. ``centered``, which is ours, takes h less
the mean state of the comparisons' responses: SDs of 0.28 to 0.31 vary by 0.09 to 0.12, and rank
correlations are 0.943 to 0.988.
Deviations: the code trains the head alone on a frozen model, whose RMSNorm leaves no such
direction; here the trunk is trained with it.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from overopt.proxies.contract.heads import HeadShape, HeadStates, ReadBatch, TrainedStates
from overopt.spec.declare import param


@dataclass(frozen=True)
class Config:
    """Settings of the Bayesian last layer."""

    members: int = param(1, help="reward models, same pairs, different seeds", at_least=1)
    pessimism: float = param(1.0, help="k: SDs that are taken off the reward", at_least=0.0)
    ridge: float = param(1e-5, help="c: precision of a weight before comparisons", above=0.0)
    weighted: bool = param(True, help="comparisons count by p (1 - p)")
    centered: bool = param(False, help="SDs of the lead over the mean response")


class LinearPosterior(nn.Module):
    """Outputs are the reward and the SD of its mean; the SD is 0 before it is known."""

    def __init__(self, width: int, pessimism: float) -> None:
        super().__init__()
        self.linear = nn.Linear(width, 1, bias=False)
        self.pessimism = pessimism
        self.covariance_DD: Tensor
        self.center_D: Tensor
        self.register_buffer("covariance_DD", torch.zeros(width, width))
        self.register_buffer("center_D", torch.zeros(width))

    def forward(self, states: HeadStates) -> Tensor:
        """Outputs (B, 2)."""
        mean_B = self.linear(states.last_BD).squeeze(1)
        away_BD = states.last_BD.detach() - self.center_D
        variance_B = torch.einsum("bd,de,be->b", away_BD, self.covariance_DD, away_BD)
        sd_B = variance_B.clamp(min=0).sqrt()
        return torch.stack([mean_B - self.pessimism * sd_B, sd_B], dim=1)


def make_head(config: Config, shape: HeadShape) -> LinearPosterior:
    """The linear head.

    Args:
        config: how many SDs are taken off.
        shape: width of the trunk.
    """
    return LinearPosterior(shape.width, config.pessimism)


def loss(config: Config, batch: ReadBatch) -> Tensor:
    """Bradley-Terry loss of each comparison, nats, (P,).

    Args:
        config: unused.
        batch: rewards of both sides, which have no SD yet.

    Reference:
        RewardUQ, https://arxiv.org/abs/2602.24040
    """
    return -logsigmoid(batch.chosen_P - batch.rejected_P)


def settle(config: Config, head: LinearPosterior, trained: TrainedStates) -> None:
    """The posterior's covariance, and the center of its SDs.

    Args:
        config: ridge; whether comparisons are weighted, and SDs centered.
        head: trained; it is told its covariance.
        trained: states of both sides of the comparisons.

    Reference:
        RewardUQ, https://arxiv.org/abs/2602.24040
    """
    with torch.no_grad():
        apart_PD = (trained.chosen.last_BD - trained.rejected.last_BD).double()
        weight_P = torch.ones_like(apart_PD[:, 0])
        if config.weighted:
            won_P = torch.sigmoid(apart_PD @ head.linear.weight[0].double())
            weight_P = won_P * (1 - won_P)
        precision_DD = (apart_PD * weight_P[:, None]).T @ apart_PD
        precision_DD = precision_DD + config.ridge * torch.eye(len(precision_DD)).to(precision_DD)
        head.covariance_DD.copy_(torch.linalg.inv(precision_DD))
        if config.centered:
            both_ND = torch.cat([trained.chosen.last_BD, trained.rejected.last_BD])
            head.center_D.copy_(both_ND.mean(0))
