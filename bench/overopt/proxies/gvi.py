"""Gaussian variational inference: a normal posterior over the weights of the last layer.

Analogue: no paper of this exact form for reward models was found.
Paper: Blundell et al. 2015, "Weight Uncertainty in Neural Networks"
(https://arxiv.org/abs/1505.05424), variational inference of weights (its equations from memory),
here of the reward's last layer and with comparisons for data:
    q(w) = N(m, diag(v)),   prior N(0, t^2 I),   r = w . h
    L = mean E_q[-log sigmoid(d)] + KL(q || prior) / P,   d ~ N(m . x, sum_i v_i x_i^2)
    R = m . h - k sqrt(sum_i v_i (h_i - c_i)^2),   x = h_w - h_l
c is the mean state of the initial policy's responses. P is the number of comparisons, over which
the mean is taken. A comparison sees differences of states only, so that all that can be known of
one response is its lead over another: here over the mean response. The expectation is taken by
Gauss-Hermite quadrature of 32 points, without sampling.
As t goes to 0 the reward is constant; with v held at 0 it is Bradley-Terry with a ridge.
The trunk is trained by Bradley-Terry, with m for its head; then m and v are brought to where L is
least on the states as they are. A task's few steps would leave v where it starts.
Deviations: the paper samples weights, and has all layers under the posterior.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from overopt.proxies.contract.heads import HeadShape, HeadStates, ReadBatch, TrainedStates, given
from overopt.proxies.contract.minimum import minimize
from overopt.spec.declare import param

_POINTS = 32


@dataclass(frozen=True)
class Config:
    """Settings of variational inference."""

    members: int = param(1, help="reward models, same pairs, different seeds", at_least=1)
    prior: float = param(1.0, help="t: SD of a weight before comparisons were seen", above=0.0)
    pessimism: float = param(1.0, help="k: SDs that are taken off the mean", at_least=0.0)


class Posterior(nn.Module):
    """Outputs are the reward, and its mean; the SD is 0 before it is known."""

    def __init__(self, width: int, pessimism: float) -> None:
        super().__init__()
        self.mean_D = nn.Parameter(torch.randn(width) / width**0.5)
        self.pessimism = pessimism
        self.variance_D: Tensor
        self.center_D: Tensor
        self.register_buffer("variance_D", torch.zeros(width))
        self.register_buffer("center_D", torch.zeros(width))

    def forward(self, states: HeadStates) -> Tensor:
        """Outputs (B, 2)."""
        mean_B = states.last_BD @ self.mean_D
        away_BD = (states.last_BD.detach() - self.center_D) * self.variance_D.sqrt()
        return torch.stack([mean_B - self.pessimism * away_BD.norm(dim=1), mean_B], dim=1)


def make_head(config: Config, shape: HeadShape) -> Posterior:
    """The posterior of the last layer.

    Args:
        config: pessimism.
        shape: width of the trunk.
    """
    return Posterior(shape.width, config.pessimism)


def loss(config: Config, batch: ReadBatch) -> Tensor:
    """Bradley-Terry loss of each comparison by the posterior's mean, nats, (P,).

    Args:
        config: unused.
        batch: outputs of both sides.

    Reference:
        Analogue of Weight Uncertainty in Neural Networks, https://arxiv.org/abs/1505.05424
    """
    chosen_PC = given(batch.chosen.output_PC, "output_PC")
    return -logsigmoid(chosen_PC[:, 1] - given(batch.rejected.output_PC, "output_PC")[:, 1])


def settle(config: Config, head: Posterior, trained: TrainedStates) -> None:
    """The posterior of all comparisons, and the mean state over which a lead is uncertain.

    Args:
        config: prior.
        head: whose mean is where the search starts.
        trained: states of both sides of the comparisons, which the initial policy has written.

    Reference:
        Analogue of Weight Uncertainty in Neural Networks, https://arxiv.org/abs/1505.05424
    """
    apart_PD = (trained.chosen.last_BD - trained.rejected.last_BD).double()
    # what a weight's SD would be if chances were even and no other weight mattered
    known_D = (apart_PD**2).sum(0) / 4 + config.prior**-2
    unit_D = known_D.rsqrt()
    scaled_D = (head.mean_D.detach().double() / unit_D).requires_grad_()
    log_ratio_D = torch.zeros_like(scaled_D, requires_grad=True)

    def posterior() -> tuple[Tensor, Tensor]:
        return scaled_D * unit_D, log_ratio_D + unit_D.log()

    minimize(lambda: bound(apart_PD, *posterior(), config.prior), [scaled_D, log_ratio_D])
    mean_D, log_sd_D = posterior()
    both_ND = torch.cat([trained.chosen.last_BD, trained.rejected.last_BD])
    with torch.no_grad():
        head.mean_D.copy_(mean_D)
        head.variance_D.copy_((2 * log_sd_D).exp())
        head.center_D.copy_(both_ND.mean(0))


def bound(apart_PD: Tensor, mean_D: Tensor, log_sd_D: Tensor, prior: float) -> Tensor:
    """L: the negative evidence bound per comparison, nats, a single number.

    Args:
        apart_PD: x, states of the preferred side less those of the other.
        mean_D, log_sd_D: m, and half the logarithm of v.
        prior: t.
    """
    variance_P = apart_PD**2 @ (2 * log_sd_D).exp()
    told_P = expected_loss(apart_PD @ mean_D, variance_P)
    return told_P.mean() + divergence(mean_D, log_sd_D, prior) / len(apart_PD)


def divergence(mean_D: Tensor, log_sd_D: Tensor, prior: float) -> Tensor:
    """KL of the posterior from the prior, nats, a single number."""
    ratio_D = (mean_D**2 + (2 * log_sd_D).exp()) / prior**2
    return (0.5 * (ratio_D - 1) - log_sd_D + math.log(prior)).sum()


def expected_loss(mean_P: Tensor, variance_P: Tensor) -> Tensor:
    """E[-log sigmoid(d)] of normal d of these means and variances, nats, (P,)."""
    point_Q, weight_Q = (
        torch.from_numpy(part).to(mean_P) for part in np.polynomial.hermite.hermgauss(_POINTS)
    )
    # the slope of a root is infinite at 0, where equal responses are
    spread_P = (2 * variance_P + 1e-12).sqrt()
    draw_PQ = mean_P[:, None] + spread_P[:, None] * point_Q
    return -(logsigmoid(draw_PQ) @ weight_Q) / math.sqrt(math.pi)
