"""Gaussian reward model: every response has a mean reward and a variance.

Analogue: the paper's equation was not seen.
Paper: Sun et al. 2025, "Probabilistic Uncertain Reward Model"
(https://arxiv.org/abs/2503.22480), whose abstract alone was read: a generalization of Bradley-Terry
that learns a reward's distribution from preferences, and a penalty on uncertainty in RL. Two heads
give mean m and log-variance of a normal reward; a comparison is won by the difference of two draws:
    L = -log E[sigmoid(d)],   d ~ N(m_w - m_l, s_w^2 + s_l^2)
    R = m - k s
The expectation is taken by Gauss-Hermite quadrature of 32 points, without sampling. As the
variances go to 0 it is Bradley-Terry. Comparisons alone do not tell variances from a scale of the
means (https://arxiv.org/abs/2605.11865, its abstract): what they learn is how hard a response's
comparisons are to tell, up to that.
Deviations: the paper's uncertainty is the overlap with other responses' distributions, by
Bhattacharyya coefficients, and enters the RL reward; here it is the response's own SD, and part of
the score. Means and variances are linear in the state at the last token.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from overopt.proxies.contract.heads import HeadShape, HeadStates, ReadBatch, given
from overopt.spec.declare import param

_POINTS = 32


@dataclass(frozen=True)
class Config:
    """Settings of the Gaussian reward model."""

    members: int = param(1, help="reward models, same pairs, different seeds", at_least=1)
    pessimism: float = param(1.0, help="k: SDs that are taken off the mean", at_least=0.0)


class MeanAndSpread(nn.Module):
    """Outputs are the reward, the mean and the log-variance."""

    def __init__(self, width: int, pessimism: float) -> None:
        super().__init__()
        self.linear = nn.Linear(width, 2)
        self.pessimism = pessimism

    def forward(self, states: HeadStates) -> Tensor:
        """Outputs (B, 3)."""
        mean_B, log_variance_B = self.linear(states.last_BD).unbind(1)
        reward_B = mean_B - self.pessimism * (log_variance_B / 2).exp()
        return torch.stack([reward_B, mean_B, log_variance_B], dim=1)


def make_head(config: Config, shape: HeadShape) -> MeanAndSpread:
    """The two heads.

    Args:
        config: how many SDs are taken off.
        shape: width of the trunk.
    """
    return MeanAndSpread(shape.width, config.pessimism)


def loss(config: Config, batch: ReadBatch) -> Tensor:
    """Negative log-likelihood of each comparison of two normal rewards, nats, (P,).

    Args:
        config: unused.
        batch: outputs of both sides.

    Reference:
        Analogue of PURM, https://arxiv.org/abs/2503.22480
    """
    chosen_PC = given(batch.chosen.output_PC, "output_PC")
    rejected_PC = given(batch.rejected.output_PC, "output_PC")
    variance_P = chosen_PC[:, 2].exp() + rejected_PC[:, 2].exp()
    return -log_win(chosen_PC[:, 1] - rejected_PC[:, 1], variance_P)


def log_win(mean_P: Tensor, variance_P: Tensor) -> Tensor:
    """log E[sigmoid(d)] of normal d of these means and variances, (P,)."""
    points, weights = np.polynomial.hermite.hermgauss(_POINTS)
    point_Q, log_weight_Q = (
        torch.from_numpy(part).to(mean_P) for part in (points, np.log(weights / np.sqrt(np.pi)))
    )
    draw_PQ = mean_P[:, None] + (2 * variance_P).sqrt()[:, None] * point_Q
    return torch.logsumexp(log_weight_Q + logsigmoid(draw_PQ), dim=1)
