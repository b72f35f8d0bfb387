"""PG-RANK: a policy that ranks candidates, trained on what its first choice is worth.

Paper: Gao et al. 2023, "Policy-Gradient Training of Language Models for Ranking"
(https://arxiv.org/abs/2310.04407) (abstract and notes on it; equations not verified): scores are
those of a Plackett-Luce policy over rankings, whose expected utility is maximized by policy
gradient, so that training has the objective of the decision that follows. For best-of-n the
decision is which candidate comes first, and its utility is the gold score:
    P(y_i first) = exp(r_i) / sum_j exp(r_j),   L = max_i u_i - sum_i P(y_i first) u_i
For the two candidates of a pair the sum is exact, and no ranking has to be drawn:
    L = d sigmoid(-(r_w - r_l)),   d = u_w - u_l in SDs of the initial policy
Pairs that hardly differ hardly count, unlike under Bradley-Terry; one far wrong is given up.
The strength of a preference tells more of gold than a comparison: this system uses gold in
training.
Deviations: lists of two, where best-of-n chooses among n and the paper ranks long lists of
documents, so that it samples rankings; its utility is nDCG. A label that noise has flipped turns
d's sign.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from overopt.proxies.contract.heads import ReadBatch
from overopt.spec.declare import param

LABELS = ("strength",)
USES_GOLD = "training"


@dataclass(frozen=True)
class Config:
    """Settings of the ranking policy."""

    members: int = param(1, help="reward models, same pairs, different seeds", at_least=1)
    temperature: float = param(1.0, help="of the ranking policy; scores are over it", above=0.0)


def loss(config: Config, batch: ReadBatch) -> Tensor:
    """Expected regret of the first choice, SDs of the initial policy, (P,).

    Args:
        config: temperature of the ranking policy.
        batch: rewards of both sides; strength (P,) in SDs of the initial policy.

    Reference:
        Policy-Gradient Training of Language Models for Ranking, https://arxiv.org/abs/2310.04407
    """
    behind_P = (batch.rejected_P - batch.chosen_P) / config.temperature
    return batch.labels["strength"] * torch.sigmoid(behind_P)
