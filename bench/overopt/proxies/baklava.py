"""Weight-averaged reward models from several lengths of fine-tuning ("Baklava").

Paper: Ramé et al. 2024, "WARM: On the Benefits of Weight Averaged Reward Models"
(https://arxiv.org/abs/2401.12187), section 3: members start from different checkpoints of one run
of supervised fine-tuning (8,000, 10,000 and 12,000 steps of 12,000), so that they differ more than
by the order of the data, the learning rate and dropout, and are still linearly connected:
    phi = 1/M sum_i phi_i
Here members start from initial policies of 2/3, 5/6 and all of the examples.
Deviations: as those of the proxy ``warm``; and these are no checkpoints of one run, but a run each
from the same first weights, over so many examples, with a schedule of its own that ends at rate 0,
so that they may differ more than the paper's and be less well connected. Each has its own probed
head, fitted on its own states, where the paper has one for all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from overopt.proxies.contract.members import MemberTraining, Weights
from overopt.spec.declare import param

START = "probed"
EARLIER = "earliest"

_RATES = (1.0, 0.25, 2.5)


@dataclass(frozen=True)
class Config:
    """Settings of weight averaging from several checkpoints."""

    members: int = param(6, help="M, reward models that are averaged", at_least=1)
    earliest: float = param(
        0.6667, help="share of the initial policy's examples that the first of three "
        "starts has seen", at_least=0.01, at_most=1.0,
    )  # fmt: skip
    dropout: float = param(
        0.05, help="of even members in training; odd ones have twice as much", at_least=0.0,
        at_most=0.45,
    )  # fmt: skip


def vary(config: Config, member: int) -> MemberTraining:
    """Learning rate relative to the task's and dropout of a member; six combinations in turn.

    Args:
        config: dropout.
        member: its number, from 0.

    Reference:
        WARM, section 3, https://arxiv.org/abs/2401.12187
    """
    return MemberTraining(_RATES[member % len(_RATES)], config.dropout * (1 + member % 2))


def merge(config: Config, weights: Sequence[Weights]) -> Weights:
    """The mean of the members' weights, parameter by parameter.

    Args:
        config: unused.
        weights: of M members, whose starts share their first weights.

    Returns:
        Weights of the one reward model that scores.

    Reference:
        WARM, section 3, https://arxiv.org/abs/2401.12187
    """
    return {name: torch.stack([one[name] for one in weights]).mean(0) for name in weights[0]}
