"""Self-distillation: a reward model learns labels mixed with what one like it predicted.

Paper: Das and Sanghavi 2023, "Understanding Self-Distillation in the Presence of Label Noise"
(https://arxiv.org/abs/2301.13304), abstract:
    L = x CE(teacher, student) + (1 - x) CE(label, student)
The teacher is a model of the same architecture, trained on the labels alone. For comparisons
    L = x [-q log sigmoid(D) - (1 - q) log sigmoid(-D)] - (1 - x) log sigmoid(D)
with D = r_w - r_l and q the teacher's sigmoid(D / T). Under much label noise the paper finds x
above 1 best, which turns labels against what the teacher holds unlikely; then L is no longer
bounded from below where q < 1 - 1/x. More rounds repeat it with the last student as the teacher.
Deviations: the temperature T is not of the paper; 1 leaves it out. Of its analysis only the
objective was checked.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from overopt.proxies.contract.heads import ReadBatch
from overopt.spec.declare import param

ROUNDS = "rounds"


@dataclass(frozen=True)
class Config:
    """Settings of self-distillation."""

    members: int = param(1, help="reward models, same pairs, different seeds", at_least=1)
    rounds: int = param(2, help="trainings of each, the first on labels alone", at_least=1)
    weight: float = param(
        1.0, help="x: of the teacher's predictions, 1 less it of the labels", at_least=0.0
    )
    temperature: float = param(1.0, help="T: softens the teacher's predictions", above=0.0)


def loss(config: Config, batch: ReadBatch) -> Tensor:
    """Cross-entropy with label and teacher mixed, nats, (P,); Bradley-Terry in the first round.

    Args:
        config: x and T.
        batch: rewards of both sides, and the teacher's margin.

    Reference:
        Understanding Self-Distillation in the Presence of Label Noise,
        https://arxiv.org/abs/2301.13304
    """
    margin_P = batch.chosen_P - batch.rejected_P
    target_P = torch.ones_like(margin_P)
    if batch.previous_P is not None:
        teacher_P = torch.sigmoid(batch.previous_P / config.temperature)
        target_P = config.weight * teacher_P + (1.0 - config.weight) * target_P
    return binary_cross_entropy_with_logits(margin_P, target_P, reduction="none")
