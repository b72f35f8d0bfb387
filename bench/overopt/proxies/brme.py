"""BRME: several heads give a mean and an SD each; the surest one is mixed with the least one.

Analogue: objective and heads are from notes on the paper, whose equations were not seen.
Paper: Yan et al. 2024, "Reward-Robust RLHF in LLMs" (https://arxiv.org/abs/2409.15360): a reward
model is trained by Bradley-Terry (r_0), then K heads on it, each a normal reward N(m_k, s_k^2):
    R = a m_j + (1 - a) min_k m_k,   j the head of the smallest SD for this response
With a = 0 it is the worst case over heads; where SDs are equal the first head is nominal.
Here heads fit r_0 by L_k = (m_k - r_0)^2 / (2 s_k^2) + log s_k, the mean of both sides, on states
through which no gradient passes; the trunk and r_0 are trained by Bradley-Terry alone.
Deviations: both stages are trained at once, for as many steps. In the task reviews heads come to
explain -0.2 to 0.8 of the variance of r_0, so that what sets them apart is how far each has come;
brought to convergence all of them are r_0, and so is R. The paper's heads learn by a squared error,
in which an SD has no part that is known; here by a normal likelihood. Heads have a hidden layer
each, from weights of their own, since linear ones would all find r_0 itself. The minimum is taken
response by response; the paper's is over reward functions, of an expectation, and less strict.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from overopt.proxies.contract.heads import HeadShape, HeadStates, ReadBatch, given
from overopt.spec.declare import param

_LOG_SD_MIN = -4.0


@dataclass(frozen=True)
class Config:
    """Settings of the ensemble of heads."""

    members: int = param(1, help="reward models, same pairs, different seeds", at_least=1)
    heads: int = param(5, help="K, heads on one trunk", at_least=1)
    nominal: float = param(
        0.4, help="a: share of the surest head; the rest is the minimum's", at_least=0.0,
        at_most=1.0,
    )  # fmt: skip
    hidden: int = param(32, help="width of each head's hidden layer", at_least=1)


class Heads(nn.Module):
    """Outputs are the reward, r_0, K means and K log-SDs."""

    def __init__(self, width: int, config: Config) -> None:
        super().__init__()
        self.base = nn.Linear(width, 1, bias=False)
        self.heads = nn.ModuleList(
            nn.Sequential(nn.Linear(width, config.hidden), nn.ReLU(), nn.Linear(config.hidden, 2))
            for _ in range(config.heads)
        )
        self.nominal = config.nominal

    def forward(self, states: HeadStates) -> Tensor:
        """Outputs (B, 2 + 2 K)."""
        frozen_BD = states.last_BD.detach()
        mean_BK, log_sd_BK = torch.stack([head(frozen_BD) for head in self.heads], 1).unbind(2)
        log_sd_BK = log_sd_BK.clamp(min=_LOG_SD_MIN)
        reward_B1 = mix(mean_BK, log_sd_BK, self.nominal)[:, None]
        return torch.cat([reward_B1, self.base(states.last_BD), mean_BK, log_sd_BK], dim=1)


def mix(mean_BK: Tensor, log_sd_BK: Tensor, nominal: float) -> Tensor:
    """Share of the surest head's mean, and of the smallest mean for the rest, (B,)."""
    surest_B1 = log_sd_BK.argmin(dim=1, keepdim=True)
    least_B = mean_BK.min(dim=1).values
    return nominal * mean_BK.gather(1, surest_B1).squeeze(1) + (1 - nominal) * least_B


def make_head(config: Config, shape: HeadShape) -> Heads:
    """The heads.

    Args:
        config: how many, how wide, and the share of the surest.
        shape: width of the trunk.
    """
    return Heads(shape.width, config)


def loss(config: Config, batch: ReadBatch) -> Tensor:
    """Bradley-Terry loss of r_0 and the heads' mean fit of it, of each comparison, nats, (P,).

    Args:
        config: how many heads.
        batch: outputs of both sides.

    Reference:
        Analogue of Reward-Robust RLHF, https://arxiv.org/abs/2409.15360
    """
    chosen_PC = given(batch.chosen.output_PC, "output_PC")
    rejected_PC = given(batch.rejected.output_PC, "output_PC")
    fits = [fit(side_PC, config.heads) for side_PC in (chosen_PC, rejected_PC)]
    return -logsigmoid(chosen_PC[:, 1] - rejected_PC[:, 1]) + (fits[0] + fits[1]) / 2


def fit(output_PC: Tensor, heads: int) -> Tensor:
    """Mean over heads of their negative log-likelihood of r_0, but for a constant, nats, (P,)."""
    mean_PK, log_sd_PK = output_PC[:, 2 : 2 + heads], output_PC[:, 2 + heads :]
    miss_PK = mean_PK - output_PC[:, 1:2].detach()
    return (0.5 * (miss_PK / log_sd_PK.exp()) ** 2 + log_sd_PK).mean(1)
