"""Weight-averaged reward models: members from a shared start are averaged into one model.

Paper: Ramé et al. 2024, "WARM: On the Benefits of Weight Averaged Reward Models"
(https://arxiv.org/abs/2401.12187), section 3:
    phi_WARM = 1/M sum_i phi_i,   M = 6
Every phi_i minimizes the Bradley-Terry loss (equation (1)) from the same weights: those after
supervised fine-tuning, and one head, linearly probed. They differ by the order of the data, the
learning rate (1e-5, 4e-5 or 1e-4) and dropout (0.05 or 0.1). All weights are averaged, the head's
among them. Averaging works between models that are linearly connected, which members from random
weights are not, even from the same ones (remark 1).
Here the shared start is the initial policy, whatever a task's proxies start from, with the head
that is fitted to the same comparisons on its frozen states. Every member finds the same head, by
convexity.
Dropout is that of the trunk's dropout layers. Architectures without any, Llama's and Qwen's among
them, have none to turn up: there members differ by their order and rate only, whatever ``dropout``.
Deviations: learning rates are 1/4, 1 and 5/2 of the task's; the M best of ten members are not
chosen (they would be ranked by out-of-distribution data); policies of different lengths of
fine-tuning ("Baklava") are not used. The probed head has a ridge, which the paper does not mention.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from overopt.proxies.contract.members import MemberTraining, Weights
from overopt.spec.declare import param

START = "probed"

_RATES = (1.0, 0.25, 2.5)


@dataclass(frozen=True)
class Config:
    """Settings of weight averaging."""

    members: int = param(6, help="M, reward models that are averaged", at_least=1)
    dropout: float = param(
        0.05, help="of even members in training; odd ones have twice as much", at_least=0.0,
        at_most=0.45,
    )  # fmt: skip
    same_rate: bool = param(False, help="train all members at the task's learning rate")


def vary(config: Config, member: int) -> MemberTraining:
    """Learning rate relative to the task's and dropout of a member; six combinations in turn.

    Args:
        config: dropout, and whether all rates are the task's.
        member: its number, from 0.

    Reference:
        WARM, section 3, https://arxiv.org/abs/2401.12187
    """
    rate = 1.0 if config.same_rate else _RATES[member % len(_RATES)]
    return MemberTraining(rate, config.dropout * (1 + member % 2))


def merge(config: Config, weights: Sequence[Weights]) -> Weights:
    """The mean of the members' weights, parameter by parameter.

    Args:
        config: unused.
        weights: of M members, which share their start.

    Returns:
        Weights of the one reward model that scores.

    Reference:
        WARM, section 3, https://arxiv.org/abs/2401.12187
    """
    return {name: torch.stack([one[name] for one in weights]).mean(0) for name in weights[0]}
