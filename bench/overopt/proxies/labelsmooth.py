"""Label smoothing: the reward model is told that a share of its labels may be wrong.

Paper: Yang et al. 2024, "Regularizing Hidden States Enables Learning Generalizable Reward Model for
LLMs" (https://arxiv.org/abs/2406.10216) (GRM), whose released code has it as a baseline; no
equation of its own was found:
    L = -(1 - e) log sigmoid(D) - e log sigmoid(-D),   D = r_w - r_l,   e = 0.1
Its minimum over a comparison is at D = log((1 - e) / e), so that margins stay finite.
Deviations: none known; the trunk is this project's, trained whole, not the paper's language model.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import logsigmoid

from overopt.proxies.contract.training import RewardBatch
from overopt.spec.declare import param


@dataclass(frozen=True)
class Config:
    """Settings of label smoothing."""

    members: int = param(1, help="reward models, same pairs, different seeds", at_least=1)
    smoothing: float = param(
        0.1,
        help="e: share of labels taken for wrong; 0 is Bradley-Terry",
        at_least=0.0,
        at_most=0.5,
    )


def loss(config: Config, batch: RewardBatch) -> Tensor:
    """Smoothed negative log-likelihood of each comparison, nats, (P,).

    Args:
        config: the share e.
        batch: rewards of both sides.

    Reference:
        GRM, baseline with label smoothing in the authors' code, https://arxiv.org/abs/2406.10216
    """
    margin_P = batch.chosen_P - batch.rejected_P
    share = config.smoothing
    return -(1.0 - share) * logsigmoid(margin_P) - share * logsigmoid(-margin_P)
