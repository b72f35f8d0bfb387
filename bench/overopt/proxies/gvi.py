"""Gaussian variational inference: a normal posterior over the weights of the last layer.

Analogue: no paper of this exact form for reward models was found.
Paper: Blundell et al. 2015, "Weight Uncertainty in Neural Networks"
(https://arxiv.org/abs/1505.05424), variational inference of weights (its equations from memory),
here of the reward's last layer and with comparisons for data:
    q(w) = N(m, diag(v)),   prior N(0, t^2 I),   r = w . h
    L = E_q[-log sigmoid(d)] + KL(q || prior) / P,   d ~ N(m . x, sum_i v_i x_i^2),   x = h_w - h_l
    R = m . h - k sqrt(sum_i v_i (h_i - c_i)^2)
c is the mean state of the initial policy's responses. P is the number of comparisons, which
``pairs`` has to say. A comparison sees differences of states only, so that all that can be known of
one response is its lead over another: here over the mean response. The expectation is taken by
Gauss-Hermite quadrature of 32 points, without sampling.
As t goes to 0 the reward is constant; with v held at 0 it is Bradley-Terry with a ridge.
Deviations: the paper samples weights and has all layers under the posterior; the trunk here is
trained as ever, by the same loss.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from overopt.proxies.contract.heads import HeadShape, HeadStates, ReadBatch, TrainedStates, given
from overopt.spec.declare import param

_POINTS = 32
_FIRST_LOG_VARIANCE = -4.0


@dataclass(frozen=True)
class Config:
    """Settings of variational inference."""

    members: int = param(1, help="reward models, same pairs, different seeds", at_least=1)
    prior: float = param(1.0, help="t: SD of a weight before comparisons were seen", above=0.0)
    pessimism: float = param(1.0, help="k: SDs that are taken off the mean", at_least=0.0)
    pairs: int = param(512, help="P: comparisons that there are", at_least=1)


class Posterior(nn.Module):
    """Outputs: the reward, the mean, the KL from the prior, the state, and the variances' share."""

    def __init__(self, width: int, config: Config) -> None:
        super().__init__()
        self.mean_D = nn.Parameter(torch.randn(width) / width**0.5)
        self.log_variance_D = nn.Parameter(torch.full((width,), _FIRST_LOG_VARIANCE))
        self.prior, self.pessimism = config.prior, config.pessimism
        self.center_D: Tensor
        self.register_buffer("center_D", torch.zeros(width))

    def forward(self, states: HeadStates) -> Tensor:
        """Outputs (B, 3 + D): reward, mean, KL in nats, and the state times the weights' SDs."""
        mean_B = states.last_BD @ self.mean_D
        spread_D = (self.log_variance_D / 2).exp()
        away_B = ((states.last_BD - self.center_D) * spread_D).norm(dim=1)
        kl_B = self.divergence().expand_as(mean_B)
        parts = [mean_B - self.pessimism * away_B, mean_B, kl_B]
        return torch.cat([torch.stack(parts, 1), states.last_BD * spread_D], dim=1)

    def divergence(self) -> Tensor:
        """KL of the posterior from the prior, nats, a single number."""
        ratio_D = (self.mean_D**2 + self.log_variance_D.exp()) / self.prior**2
        return 0.5 * (ratio_D - 1 - self.log_variance_D + 2 * math.log(self.prior)).sum()


def make_head(config: Config, shape: HeadShape) -> Posterior:
    """The posterior of the last layer.

    Args:
        config: prior and pessimism.
        shape: width of the trunk.
    """
    return Posterior(shape.width, config)


def loss(config: Config, batch: ReadBatch) -> Tensor:
    """Negative evidence bound of each comparison, nats, (P,).

    Args:
        config: how many comparisons share the KL.
        batch: outputs of both sides.

    Reference:
        Analogue of Weight Uncertainty in Neural Networks, https://arxiv.org/abs/1505.05424
    """
    chosen_PC = given(batch.chosen.output_PC, "output_PC")
    rejected_PC = given(batch.rejected.output_PC, "output_PC")
    variance_P = ((chosen_PC[:, 3:] - rejected_PC[:, 3:]) ** 2).sum(1)
    told_P = expected_loss(chosen_PC[:, 1] - rejected_PC[:, 1], variance_P)
    return told_P + chosen_PC[:, 2] / config.pairs


def expected_loss(mean_P: Tensor, variance_P: Tensor) -> Tensor:
    """E[-log sigmoid(d)] of normal d of these means and variances, nats, (P,)."""
    point_Q, weight_Q = (
        torch.from_numpy(part).to(mean_P) for part in np.polynomial.hermite.hermgauss(_POINTS)
    )
    # the slope of a root is infinite at 0, where equal responses are
    spread_P = (2 * variance_P + 1e-12).sqrt()
    draw_PQ = mean_P[:, None] + spread_P[:, None] * point_Q
    return -(logsigmoid(draw_PQ) @ weight_Q) / math.sqrt(math.pi)


def settle(config: Config, head: Posterior, trained: TrainedStates) -> None:
    """The mean state of the initial policy's responses, over which a lead is uncertain.

    Args:
        config: unused.
        head: whose SDs are measured from there.
        trained: states of both sides of the comparisons, which the initial policy has written.

    Reference:
        Analogue of Weight Uncertainty in Neural Networks, https://arxiv.org/abs/1505.05424
    """
    both_ND = torch.cat([trained.chosen.last_BD, trained.rejected.last_BD])
    head.center_D.copy_(both_ND.mean(0))
