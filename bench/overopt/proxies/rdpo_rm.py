"""Unbiased correction: the loss whose expectation under flipped labels is the clean one's.

Paper: Chowdhury et al. 2024, "Provably Robust DPO: Aligning Language Models with Noisy Feedback"
(https://arxiv.org/abs/2403.00409), whose loss for policies (equation number not verified) is
applied to a reward model here:
    L = ((1 - e) l(D) - e l(-D)) / (1 - 2 e),   l(D) = -log sigmoid(D),   D = r_w - r_l
If a share e of labels is flipped, E L = l(D) of the right label. It is unbounded below: as D grows
it falls like -e D / (1 - 2 e), so that only early stopping keeps margins finite.
Deviations: a reward model's margin stands for the policy's; the paper has no reward model.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import logsigmoid

from overopt.proxies.contract.training import RewardBatch
from overopt.spec.declare import param


@dataclass(frozen=True)
class Config:
    """Settings of the unbiased correction."""

    members: int = param(1, help="reward models, same pairs, different seeds", at_least=1)
    flips: float = param(
        0.1,
        help="e: share of labels taken for flipped; 0 is Bradley-Terry",
        at_least=0.0,
        at_most=0.49,
    )


def loss(config: Config, batch: RewardBatch) -> Tensor:
    """Corrected negative log-likelihood of each comparison, nats, (P,); it may be negative.

    Args:
        config: the share e.
        batch: rewards of both sides.

    Reference:
        Provably Robust DPO, https://arxiv.org/abs/2403.00409
    """
    margin_P = batch.chosen_P - batch.rejected_P
    share = config.flips
    right_P, wrong_P = -logsigmoid(margin_P), -logsigmoid(-margin_P)
    return ((1.0 - share) * right_P - share * wrong_P) / (1.0 - 2.0 * share)
