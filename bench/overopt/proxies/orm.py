"""Outcome reward model: says whether a response ends right, and takes that for the reward.

Paper: Cobbe et al. 2021, "Training Verifiers to Solve Math Word Problems"
(https://arxiv.org/abs/2110.14168): a verifier is trained on solutions that are labeled right or
wrong by their final answer, and ranks candidates by its probability that they are right. The loss
here is cross-entropy at the response's end, as in Lightman et al. 2023, "Let's Verify Step by Step"
(https://arxiv.org/abs/2305.20050) (neither loss was verified in the papers' text):
    L = -c log p - (1 - c) log(1 - p),   p = sigmoid(r),   c = 1 where the answer is right
on each response of a pair; the pair's loss is the mean of both. Responses are ranked by r, the
log-odds, as by p.
The outcome of a response tells more than which of two is better: this system uses gold in training.
For worlds with checked answers, such as arithmetic.
Deviations: Cobbe et al. read every token of a solution, here only the last one is read; their
language-modeling term is left out.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from overopt.proxies.contract.heads import ReadBatch
from overopt.spec.declare import param

LABELS = ("outcomes",)
USES_GOLD = "training"


@dataclass(frozen=True)
class Config:
    """Settings of the outcome reward model."""

    members: int = param(1, help="reward models, same outcomes, different seeds", at_least=1)


def loss(config: Config, batch: ReadBatch) -> Tensor:
    """Cross-entropy of the outcome of either response, mean of both, nats, (P,).

    Args:
        config: unused.
        batch: log-odds of both sides that they end right; outcomes (P, 2), 1 or 0.

    Reference:
        Training Verifiers to Solve Math Word Problems, https://arxiv.org/abs/2110.14168
    """
    right_P2 = batch.labels["outcomes"].to(batch.chosen_P)
    chosen_P, rejected_P = (
        binary_cross_entropy_with_logits(logit_P, right_P2[:, side], reduction="none")
        for side, logit_P in enumerate((batch.chosen_P, batch.rejected_P))
    )
    return 0.5 * (chosen_P + rejected_P)
