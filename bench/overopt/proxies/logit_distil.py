"""Distillation from gold's log-odds: how much of the teacher's opinion is seen is a setting.

Paper: Hinton, Vinyals and Dean 2015, "Distilling the Knowledge in a Neural Network"
(https://arxiv.org/abs/1503.02531), section 2 (from memory: soft targets at a temperature T, their
gradient rescaled by T^2, beside the hard label), for comparisons:
    L = s T^2 CE(q, sigmoid(D / T)) - (1 - s) log sigmoid(D),   q = sigmoid(d / T),   D = r_w - r_l
d is by how much gold prefers the label's side, in SDs of the initial policy, taken for log-odds as
the label noise of kind bt:1 has them. s = 0 is Bradley-Terry; at s = 1 the minimum is D = d at any
temperature, so that margins stay finite and reward differences come to be gold's.
An analogue: no paper is known to us that varies s for reward models.
The strength of a preference tells more of gold than a comparison: this system uses gold in
training.
Deviations: a label that noise has flipped turns the teacher's opinion too, since the strength has
no sign of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, logsigmoid

from overopt.proxies.contract.heads import ReadBatch
from overopt.spec.declare import param

LABELS = ("strength",)
USES_GOLD = "training"


@dataclass(frozen=True)
class Config:
    """Settings of distillation."""

    members: int = param(1, help="reward models, same pairs, different seeds", at_least=1)
    seen: float = param(
        0.5, help="s: share of the teacher's opinion, the rest is the label", at_least=0.0,
        at_most=1.0,
    )  # fmt: skip
    temperature: float = param(1.0, help="T: softens both opinions", above=0.0)


def loss(config: Config, batch: ReadBatch) -> Tensor:
    """Cross-entropies with the teacher's opinion and with the label, weighted, nats, (P,).

    Args:
        config: s and T.
        batch: rewards of both sides; strength (P,) in SDs of the initial policy.

    Reference:
        Distilling the Knowledge in a Neural Network, https://arxiv.org/abs/1503.02531
    """
    margin_P = batch.chosen_P - batch.rejected_P
    opinion_P = torch.sigmoid(batch.labels["strength"] / config.temperature)
    soft_P = binary_cross_entropy_with_logits(
        margin_P / config.temperature, opinion_P.to(margin_P), reduction="none"
    )
    told_P = config.seen * config.temperature**2 * soft_P
    return told_P - (1.0 - config.seen) * logsigmoid(margin_P)
