"""Recalibration by groups of prompts: each group's margins are brought to their own scale.

Paper: Hébert-Johnson et al. 2017, "Multicalibration: Calibration for the (Computationally-
Identifiable) Masses" (https://arxiv.org/abs/1711.08513): predictions are to be calibrated within
each of many groups, not on the whole only (from memory of the paper; nothing of it was verified).
An analogue: its algorithm patches predictions of one input, and a comparison's probability comes of
two. Here each group g of prompts has a temperature, as Guo et al. 2017, "On Calibration of Modern
Neural Networks" (https://arxiv.org/abs/1706.04599), have one for all. The reward b and a router are
trained by
    L = -log sigmoid(D) + router's cross-entropy,   D = b_w - b_l
and then, on b as it is, scales to convergence:
    s = argmin of sum over comparisons of -log sigmoid(exp(s_g) D) + |s|^2 / 2
    r(x, y) = exp(s_g) b(x, y),   g = argmax of the router, which reads the prompt
where, but for the last term, the mean of exp(s_g) D under the labels is that under its own
predictions, in every group. The term keeps scales finite of groups that are all right, or that know
nothing. Trained beside b, in a task's few steps, scales would stay near 1.
Groups are the world's categories of prompts. Best-of-n does not feel it, since a factor above 0
changes no order within a prompt; methods that train do, which weigh prompts against each other.
Deviations: scales are fitted to the training pairs, as the reward is, where held-out pairs would be
right; groups do not overlap; the last term is ours, a normal prior of SD 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, logsigmoid

from overopt.proxies.contract.heads import HeadShape, HeadStates, ReadBatch, TrainedStates, given
from overopt.proxies.contract.minimum import minimize
from overopt.spec.declare import param

LABELS = ("category",)


@dataclass(frozen=True)
class Config:
    """Settings of recalibration by groups."""

    members: int = param(1, help="reward models, same pairs, different seeds", at_least=1)
    router_weight: float = param(1.0, help="of the router's cross-entropy", at_least=0.0)


class Scaled(nn.Module):
    """A linear reward, a scale for each group, and a router that reads the prompt."""

    def __init__(self, width: int, groups: int) -> None:
        super().__init__()
        self.reward = nn.Linear(width, 1, bias=False)
        self.router = nn.Linear(width, groups)
        self.log_scale_G: Tensor
        self.register_buffer("log_scale_G", torch.zeros(groups))

    def forward(self, states: HeadStates) -> Tensor:
        """The routed reward, the raw one, and the router's logits, (B, 2 + G)."""
        raw_B1 = self.reward(states.last_BD)
        logits_BG = self.router(states.prompt_BD)
        scale_B1 = self.log_scale_G.exp()[logits_BG.argmax(1)][:, None]
        return torch.cat([raw_B1 * scale_B1, raw_B1, logits_BG], dim=1)


def make_head(config: Config, shape: HeadShape) -> Scaled:
    """The reward with a scale for each of the world's categories.

    Args:
        config: unused.
        shape: width of the trunk, how many categories there are.
    """
    return Scaled(shape.width, shape.labels["category"])


def loss(config: Config, batch: ReadBatch) -> Tensor:
    """Bradley-Terry loss of the raw reward, and the router's, nats, (P,).

    Args:
        config: weight of the router's loss.
        batch: outputs of both sides, categories.

    Reference:
        Multicalibration, https://arxiv.org/abs/1711.08513
    """
    chosen_PC = given(batch.chosen.output_PC, "output_PC")
    margin_P = chosen_PC[:, 1] - given(batch.rejected.output_PC, "output_PC")[:, 1]
    told_P = cross_entropy(chosen_PC[:, 2:], batch.labels["category"], reduction="none")
    return -logsigmoid(margin_P) + config.router_weight * told_P


def settle(config: Config, head: Scaled, trained: TrainedStates) -> None:
    """The scale of each group, by the comparisons of its prompts.

    Args:
        config: unused.
        head: whose reward is trained.
        trained: states of both sides of the comparisons, categories.

    Reference:
        On Calibration of Modern Neural Networks, https://arxiv.org/abs/1706.04599
    """
    with torch.no_grad():
        apart_PD = trained.chosen.last_BD - trained.rejected.last_BD
        margin_P = head.reward(apart_PD)[:, 0].double()
    group_P = trained.labels["category"]
    log_scale_G = head.log_scale_G.double().requires_grad_()

    def objective() -> Tensor:
        told = -logsigmoid(log_scale_G.exp()[group_P] * margin_P).mean()
        return told + (log_scale_G**2).sum() / (2 * len(margin_P))

    minimize(objective, [log_scale_G])
    head.log_scale_G.copy_(log_scale_G.detach())
