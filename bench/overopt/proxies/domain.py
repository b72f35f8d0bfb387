"""Domain features: a small head on a few noisy features, which say what the domain knows.

Paper: Nath et al. 2024, "Leveraging Domain Knowledge for Efficient Reward Modelling in RLHF: A
Case-Study in E-Commerce Opinion Summarization" (https://arxiv.org/abs/2402.15473) (abstract seen; a
small head on features that a language model has scored, so that few comparisons suffice).
An analogue: its features and its equation are not public to us. Here
    f_k = a_k . h,   each by the Bradley-Terry loss on labels of one term of the gold rule,
    r = g(f_1, ..., f_K),   g two small layers, by -log sigmoid(r_w - r_l) on the overall labels,
where h is the state at the response's last token, and the features are frozen for g. Terms are
labeled through the run's noise, and the last ones of the rule may be dropped, so that no feature is
the rule's own. The weights of the terms are never told.
Labels of terms tell more of gold than a comparison does: this system uses gold in training.
Deviations: features are learned from comparisons beside the head, on one trunk, which only they
move; the paper's are given by another model.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from overopt.proxies.contract.heads import HeadShape, HeadStates, ReadBatch, given
from overopt.spec.declare import param

LABELS = ("terms",)
USES_GOLD = "training"


@dataclass(frozen=True)
class Config:
    """Settings of the head on domain features."""

    members: int = param(1, help="reward models, same pairs, different seeds", at_least=1)
    dropped: int = param(1, help="last terms of the rule that no feature knows", at_least=0)
    hidden: int = param(8, help="width of the head's hidden layer", at_least=1)


class OnFeatures(nn.Module):
    """K linear features of the state, and a head of two layers on them."""

    def __init__(self, width: int, features: int, hidden: int) -> None:
        super().__init__()
        self.features = nn.Linear(width, features, bias=False)
        self.first, self.last = nn.Linear(features, hidden), nn.Linear(hidden, 1)

    def forward(self, states: HeadStates) -> Tensor:
        """Reward and features (B, 1 + K); the head does not move the features."""
        feature_BK = self.features(states.last_BD)
        reward_B1 = self.last(torch.tanh(self.first(feature_BK.detach())))
        return torch.cat([reward_B1, feature_BK], dim=1)


def make_head(config: Config, shape: HeadShape) -> OnFeatures:
    """The features and their head; at least one feature is kept.

    Args:
        config: how many terms are dropped, width of the hidden layer.
        shape: width of the trunk, how many terms the rule has.
    """
    kept = max(1, shape.labels["terms"] - config.dropped)
    return OnFeatures(shape.width, kept, config.hidden)


def loss(config: Config, batch: ReadBatch) -> Tensor:
    """Bradley-Terry losses of the reward and, their mean, of the features, nats, (P,).

    A feature learns nothing from a pair that its term does not tell apart.

    Args:
        config: unused.
        batch: outputs of both sides; terms (P, K): 1 or -1 for the side that is better, or 0.

    Reference:
        Leveraging Domain Knowledge for Efficient Reward Modelling in RLHF,
        https://arxiv.org/abs/2402.15473
    """
    difference_PC = given(batch.chosen.output_PC, "output_PC") - given(
        batch.rejected.output_PC, "output_PC"
    )
    feature_PK = difference_PC[:, 1:]
    term_PK = batch.labels["terms"][:, : feature_PK.shape[1]]
    told_PK = -logsigmoid(term_PK * feature_PK) * term_PK.abs()
    return -logsigmoid(difference_PC[:, 0]) + told_PK.mean(1)
