"""Bayesian last layer: the reward, less what its linear head may be wrong by.

Paper: Yang et al. 2026, "RewardUQ: Uncertainty-Aware Reward Models"
(https://arxiv.org/abs/2602.24040), its Bayesian linear head, checked against the authors' released
code (the paper's own text was not seen):
    H = c I + sum over comparisons of p (1 - p) x x^T,   x = h_w - h_l,   p = sigmoid(w . x)
    R = w . h - k sqrt(h^T H^-1 h)
The head w is trained by Bradley-Terry with c/2 |w|^2 added to the mean loss; H, the curvature of
the loss's sum with the same ridge, is the precision of the posterior's Laplace approximation, taken
once after training, with k = 1. The code's default of c is 1e-5, but its configurations for ten
models have .001 to .1, half of them the .01 that is the default here. ``weighted = false`` leaves
p (1 - p) out, as the code's configuration does, with k = 0.5. With k = 0 and no ridge it is
Bradley-Terry.
A comparison does not tell where all rewards are, so that the SD of h itself, which the code takes
off, is mostly of what no comparison sees. Where the trunk ends in a LayerNorm, as in generated
worlds, all states are equal along one direction: no difference sees it, and its variance is 1/c.
Over five seeds of the task reviews, SDs of 1.4 to 3.6 varied by 0.05 to 0.07 between reference
texts, and R had rank correlations of 0.993 to 0.998 with w . h: pessimism is next to a constant.
``centered``, which is ours, takes h less the mean state of the comparisons' responses: SDs of 0.29
to 0.32 vary by 0.08 to 0.09, and rank correlations are 0.982 to 0.994.
Deviations: the code trains the head alone on a frozen model, whose RMSNorm leaves no such
direction; here the trunk is trained with it, and the task's weight decay comes on top of the ridge.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from overopt.proxies.contract.heads import (
    HeadShape,
    HeadStates,
    ReadBatch,
    TrainedStates,
    given,
)
from overopt.spec.declare import param


@dataclass(frozen=True)
class Config:
    """Settings of the Bayesian last layer."""

    members: int = param(1, help="reward models, same pairs, different seeds", at_least=1)
    pessimism: float = param(1.0, help="k: SDs that are taken off the reward", at_least=0.0)
    ridge: float = param(1e-2, help="c: precision of a weight before comparisons", above=0.0)
    weighted: bool = param(True, help="comparisons count by p (1 - p)")
    centered: bool = param(False, help="SDs of the lead over the mean response")


class LinearPosterior(nn.Module):
    """Outputs are the reward, the SD of its mean, 0 before it is known, and |w|^2.

    factor_DD: a root F of the covariance, H^-1 = F F^T. A variance of 1/c along what no comparison
        sees leaves few digits to the others where both lie in one matrix of single precision.
    """

    def __init__(self, width: int, pessimism: float) -> None:
        super().__init__()
        self.linear = nn.Linear(width, 1, bias=False)
        self.pessimism = pessimism
        self.factor_DD: Tensor
        self.center_D: Tensor
        self.register_buffer("factor_DD", torch.zeros(width, width))
        self.register_buffer("center_D", torch.zeros(width))

    def forward(self, states: HeadStates) -> Tensor:
        """Outputs (B, 3)."""
        mean_B = self.linear(states.last_BD).squeeze(1)
        away_BD = states.last_BD.detach() - self.center_D
        sd_B = (away_BD @ self.factor_DD).norm(dim=1)
        square_B = self.linear.weight.square().sum().expand(len(mean_B))
        return torch.stack([mean_B - self.pessimism * sd_B, sd_B, square_B], dim=1)


def make_head(config: Config, shape: HeadShape) -> LinearPosterior:
    """The linear head.

    Args:
        config: how many SDs are taken off.
        shape: width of the trunk.
    """
    return LinearPosterior(shape.width, config.pessimism)


def loss(config: Config, batch: ReadBatch) -> Tensor:
    """Bradley-Terry loss of each comparison with the ridge, nats, (P,).

    Args:
        config: ridge.
        batch: rewards of both sides, which have no SD yet, and |w|^2.

    Reference:
        RewardUQ, https://arxiv.org/abs/2602.24040
    """
    square_P = given(batch.chosen.output_PC, "output_PC")[:, 2]
    return config.ridge / 2 * square_P - logsigmoid(batch.chosen_P - batch.rejected_P)


def settle(config: Config, head: LinearPosterior, trained: TrainedStates) -> None:
    """A root of the posterior's covariance, and the center of its SDs.

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
        root_DD = torch.linalg.cholesky(precision_DD)
        head.factor_DD.copy_(torch.linalg.inv(root_DD).T)
        if config.centered:
            both_ND = torch.cat([trained.chosen.last_BD, trained.rejected.last_BD])
            head.center_D.copy_(both_ND.mean(0))
