"""TRICE: learn one remembered success of each prompt, less what any sample would teach.

Paper: Phan et al. 2023, "Training Chain-of-Thought via Latent-Variable Inference"
(https://arxiv.org/abs/2312.02179): ascend log P(success|x). Of each prompt one rationale z is
remembered; a fresh sample z' takes its place if it succeeds, which is a Metropolis-Hastings step
for p(z|success) with the policy as the proposal; and the gradient of a prompt is that of
    log pi(z|x) - b log pi(z'|x)
for b the share of the other prompts' samples that succeed, which leaves its mean as it is, and its
variance vanishes as all succeed (algorithm from memory, with its equation numbers not verified;
checked is that this is the gradient of log P(success|x), in an enumerated world).
Deviations: an analogue. The memory lasts for one rollout: the first success among a prompt's N
samples begins its chain, and those after it are the steps, where the paper begins with a guide that
knows the answer and goes on from one visit of a prompt to the next. So a prompt counts by the
chance that its chain has begun. Success is a reward of at least ``success`` by the proxy, not a
right answer by gold. No subsampling by weight.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad

from overopt.methods.contract.iterative import KeptRows
from overopt.methods.contract.reading import Reading
from overopt.methods.contract.samples import Rollout
from overopt.methods.contract.training import given
from overopt.methods.math.responses import log_likelihood
from overopt.spec.declare import knob, param

FAMILY = "iterative"
KNOB = knob("success", low=0.05, high=1.0, raises_kl=True)
USES_GOLD = "none"


@dataclass(frozen=True)
class Config:
    """Settings of TRICE."""

    success: float = param(0.05, help="least reward of a sample that succeeds", unit="SDs")
    control: bool = param(True, help="subtract the control variate")


def build(config: Config, rollout: Rollout) -> KeptRows:
    """All samples, with how much each is learned: below 0, it is unlearned.

    Args:
        config: success, control.
        rollout: rewards (B, N), SDs of the initial policy; samples come in random order.

    Returns:
        Rows b N + n, shape (B N,), and weights: of each step after a prompt's first success, 1 for
        the success that is remembered then and -b for the sample that was proposed.

    Reference:
        Training Chain-of-Thought via Latent-Variable Inference, https://arxiv.org/abs/2312.02179
    """
    good_BN = rollout.reward_BN >= config.success
    order_N = torch.arange(good_BN.shape[1], device=good_BN.device)
    last_BN = torch.where(good_BN, order_N, -1).cummax(-1).values
    step_BN = pad((last_BN >= 0).to(rollout.reward_BN), (1, 0))[:, :-1]
    weight_BN = torch.zeros_like(step_BN).scatter_add(1, last_BN.clamp(min=0), step_BN)
    if config.control:
        weight_BN = weight_BN - step_BN * _share_of_others(good_BN.to(step_BN))
    return KeptRows(rollout.row_BN.flatten(), weight_BN.flatten())


def loss(config: Config, batch: Reading) -> Tensor:
    """Weighted negative log-likelihood of each response, nats, shape (B,).

    Reference:
        Training Chain-of-Thought via Latent-Variable Inference, https://arxiv.org/abs/2312.02179
    """
    return -given(batch.weight, "weight_K of build") * log_likelihood(batch)


def _share_of_others(good_BN: Tensor) -> Tensor:
    """Share of successes among the samples of all other prompts, (B, 1); 0 of a single prompt."""
    prompts, samples = good_BN.shape
    if prompts == 1:
        return torch.zeros_like(good_BN[:, :1])
    others_B1 = good_BN.sum() - good_BN.sum(-1, keepdim=True)
    return others_B1 / ((prompts - 1) * samples)
