"""Rollouts of one-token responses by hand, and a world of three in which optima are enumerated."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from overopt.methods.contract.reading import Reading
from overopt.methods.contract.rollout import RolloutMethod, RolloutStep
from overopt.methods.contract.samples import Rollout
from tabular_optima import table

REFERENCE_R = torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64)
REWARD_R = torch.tensor([0.0, 1.0, 2.0], dtype=torch.float64)
TILTED = [0.1790, 0.2919, 0.5291]
"""ref exp(r / beta)/Z at beta 1."""


def rollout(reward: Sequence[float], log_ratio: Sequence[float] | None = None) -> Rollout:
    """One prompt, whose responses of one token carry these log-ratios to the initial policy."""
    ratio = [0.0] * len(reward) if log_ratio is None else log_ratio
    ratio_BNT = torch.tensor(ratio, dtype=torch.float64)[None, :, None]
    sampled = Reading(ratio_BNT, torch.zeros_like(ratio_BNT), torch.ones_like(ratio_BNT))
    return Rollout(torch.tensor([reward], dtype=torch.float64), sampled)


def step(
    method: RolloutMethod, config: Any, seen: Rollout, moved: Sequence[float] | None = None
) -> RolloutStep:
    """A step on a rollout, by which the policy has moved so far, nats; with gradient."""
    now_BNT = seen.sampled.policy_logp.clone()
    if moved is not None:
        now_BNT = now_BNT + torch.tensor(moved, dtype=now_BNT.dtype).view(now_BNT.shape)
    now = seen.sampled._replace(policy_logp=now_BNT.requires_grad_())
    return RolloutStep(seen, now, method.advantages(config, seen))


def slopes(method: RolloutMethod, config: Any, taken: RolloutStep) -> list[float]:
    """Derivative of the summed losses in the log-probability of each token."""
    loss_BN = method.loss(config, taken)
    (found_BNT,) = torch.autograd.grad(loss_BN.sum(), taken.now.policy_logp)
    return [float(value) for value in found_BNT.flatten()]


def expected_gradient(
    method: RolloutMethod, config: Any, logits_R: Tensor, anchor_R: Tensor | None = None
) -> Tensor:
    """Gradient of the loss over all ordered pairs of fresh samples of a prompt, in the logits.

    Args:
        method: whose advantages and loss look at one prompt at a time.
        config: its settings.
        logits_R: of the policy, which is the one that samples.
        anchor_R: the anchor's log-probabilities, if there is one.
    """
    free_R = logits_R.clone().requires_grad_()
    logp_R, row_R = torch.log_softmax(free_R, -1), torch.arange(len(logits_R))
    drawn_BN = torch.cartesian_prod(row_R, row_R)
    now_BNT = logp_R[drawn_BN].unsqueeze(-1)
    now = Reading(
        now_BNT,
        REFERENCE_R.log()[drawn_BN].unsqueeze(-1),
        torch.ones_like(now_BNT),
        anchor_logp=None if anchor_R is None else anchor_R[drawn_BN].unsqueeze(-1),
    )
    seen = Rollout(REWARD_R[drawn_BN], now.map(Tensor.detach))
    taken = RolloutStep(seen, now, method.advantages(config, seen))
    chance_B = logp_R.detach()[drawn_BN].sum(-1).exp()
    loss = (chance_B * method.loss(config, taken).mean(-1)).sum()
    (found_R,) = torch.autograd.grad(loss, free_R)
    return found_R


def rest(
    method: RolloutMethod,
    config: Any,
    rate: float = 0.3,
    steps: int = 300,
    anchor_R: Tensor | None = None,
) -> list[float]:
    """Probabilities of the three responses after natural-gradient steps from the initial policy."""

    def gradient(logits_R: Tensor) -> Tensor:
        return expected_gradient(method, config, logits_R, anchor_R)

    found_R = table.ascend(gradient, rate, steps, REFERENCE_R.log()).exp()
    return [float(chance) for chance in found_R]


def regressed(method: RolloutMethod, config: Any, chance_R: Tensor = REFERENCE_R) -> list[float]:
    """Probabilities at the minimum of the loss on one group that holds each response once.

    Args:
        method: that regresses on a rollout of the initial policy.
        config: its settings.
        chance_R: how much each response's loss counts, as often as it is drawn.
    """
    seen = rollout(REWARD_R.tolist())
    reference_BNT = REFERENCE_R.log().view(1, -1, 1)
    drawn = seen.sampled._replace(policy_logp=reference_BNT, reference_logp=reference_BNT)
    seen = seen._replace(sampled=drawn)

    def loss(logits_R: Tensor) -> Tensor:
        now = drawn._replace(policy_logp=torch.log_softmax(logits_R, -1).view(1, -1, 1))
        taken = RolloutStep(seen, now, method.advantages(config, seen))
        return (method.loss(config, taken)[0] * chance_R).sum()

    return [float(chance) for chance in table.minimize(loss, REFERENCE_R.log()).exp()]
