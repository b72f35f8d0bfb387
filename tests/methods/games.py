"""A policy of three responses that plays a cycle of preferences, all of it enumerated."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from overopt.methods.contract.rollout import RolloutStep
from overopt.methods.contract.samples import Rollout
from tabular_optima import table

from . import fresh
from .three_responses import LOG_REFERENCE_R

EACH_R = torch.arange(3)


def every_response(logp_R: Tensor, opponent_R: Tensor) -> Rollout:
    """Each response once, against opponents of these chances in their exact proportions."""
    wins_R = fresh.CYCLE_RR @ opponent_R
    sampled = fresh.read(logp_R, EACH_R).group(3)
    zero_BN = torch.zeros(1, 3, dtype=torch.float64)
    return Rollout(zero_BN, sampled, preference=wins_R[None, :, None].expand(1, 3, 3))


def at_rest(method: ModuleType, config: Any, opponent: Callable[[Tensor], Tensor]) -> Tensor:
    """Where a rollout method comes to rest: chances of the three responses.

    Args:
        method: with advantages and a loss.
        config: its settings.
        opponent: chances of the opponent's responses, by the policy's.
    """

    def gradient(logits_R: Tensor) -> Tensor:
        logits_R = logits_R.clone().requires_grad_()
        logp_R = torch.log_softmax(logits_R, -1)
        policy_R = logp_R.detach().exp()
        rollout = every_response(logp_R.detach(), opponent(policy_R))
        now = fresh.read(logp_R, EACH_R).group(3)
        step = RolloutStep(rollout, now, method.advantages(config, rollout))
        loss = (policy_R * method.loss(config, step)[0]).sum()
        (found,) = torch.autograd.grad(loss, logits_R)
        return found

    return table.ascend(gradient, 0.3, 400, LOG_REFERENCE_R).exp()


def tilt(opponent_R: Tensor, tau: float) -> Tensor:
    """pi_ref exp(P opponent / tau) / Z."""
    return fresh.tilted(LOG_REFERENCE_R, fresh.CYCLE_RR @ opponent_R / tau).exp()
