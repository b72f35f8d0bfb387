"""Domain features: a small head on a few noisy features, which say what the domain knows.

Paper: Nath et al. 2024, "Leveraging Domain Knowledge for Efficient Reward Modelling in RLHF: A
Case-Study in E-Commerce Opinion Summarization" (https://arxiv.org/abs/2402.15473) (abstract seen; a
small head on features that a language model has scored, so that few comparisons suffice).
An analogue: its features and its equation are not public to us. Here
    f_k = a_k . h,   each by the Bradley-Terry loss on labels of one term of the gold rule,
    r = g(f_1, ..., f_K),   g two small layers, by -log sigmoid(r_w - r_l) on the overall labels,
where h is the state at the response's last token. Features come first, as in the paper, to whose
head they are given: they are trained with the trunk, and then g is fitted to all comparisons on the
features as they are, to convergence. Trained beside them, in a task's few steps, g would stay what
it was drawn as. Terms are labeled through the run's noise, and the last ones of the rule may be
dropped, so that no feature is the rule's own. The weights of the terms are never told.
Labels of terms tell more of gold than a comparison does: this system uses gold in training.
Deviations: features are learned from comparisons; the paper's are given by another model. g has a
ridge of 0.01 on its weights, for features brought to mean 0 and SD 1: with less of it, where g is
drawn decides what it finds, and it remembers labels.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from overopt.proxies.contract.heads import HeadShape, HeadStates, ReadBatch, TrainedStates, given
from overopt.proxies.contract.minimum import minimize
from overopt.spec.declare import param

LABELS = ("terms",)
USES_GOLD = "training"
_RIDGE = 0.01


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

    def judge(self, feature_BK: Tensor) -> Tensor:
        """Reward (B, 1) of features."""
        reward_B1: Tensor = self.last(torch.tanh(self.first(feature_BK)))
        return reward_B1

    def forward(self, states: HeadStates) -> Tensor:
        """Reward and features (B, 1 + K); the head does not move the features."""
        feature_BK = self.features(states.last_BD)
        return torch.cat([self.judge(feature_BK.detach()), feature_BK], dim=1)


def make_head(config: Config, shape: HeadShape) -> OnFeatures:
    """The features and their head; at least one feature is kept.

    Args:
        config: how many terms are dropped, width of the hidden layer.
        shape: width of the trunk, how many terms the rule has.
    """
    kept = max(1, shape.labels["terms"] - config.dropped)
    return OnFeatures(shape.width, kept, config.hidden)


def loss(config: Config, batch: ReadBatch) -> Tensor:
    """Bradley-Terry loss of the features, the mean over all of them, nats, (P,).

    A feature learns nothing from a pair that its term does not tell apart.

    Args:
        config: unused.
        batch: outputs of both sides; terms (P, K): 1 or -1 for the side that is better, or 0.

    Reference:
        Leveraging Domain Knowledge for Efficient Reward Modelling in RLHF,
        https://arxiv.org/abs/2402.15473
    """
    feature_PK = (
        given(batch.chosen.output_PC, "output_PC") - given(batch.rejected.output_PC, "output_PC")
    )[:, 1:]
    term_PK = batch.labels["terms"][:, : feature_PK.shape[1]]
    return (-logsigmoid(term_PK * feature_PK) * term_PK.abs()).mean(1)


def settle(config: Config, head: OnFeatures, trained: TrainedStates) -> None:
    """The head on the features, by Bradley-Terry with a ridge.

    Args:
        config: unused.
        head: whose features are trained.
        trained: states of both sides of the comparisons.

    Reference:
        Leveraging Domain Knowledge for Efficient Reward Modelling in RLHF,
        https://arxiv.org/abs/2402.15473
    """
    with torch.no_grad():
        chosen_PK, rejected_PK = (
            head.features(side.last_BD).double() for side in (trained.chosen, trained.rejected)
        )
        both_NK = torch.cat([chosen_PK, rejected_PK])
        center_K, spread_K = both_NK.mean(0), both_NK.std(0).clamp(min=1e-6)
    head.double()
    layers = [*head.first.parameters(), *head.last.parameters()]

    def objective() -> Tensor:
        chosen_P1, rejected_P1 = (
            head.judge((side_PK - center_K) / spread_K) for side_PK in (chosen_PK, rejected_PK)
        )
        size = sum((layer**2).sum() for layer in layers)
        return -logsigmoid(chosen_P1 - rejected_P1).mean() + _RIDGE / 2 * size

    minimize(objective, layers)
    with torch.no_grad():  # the first layer reads features as they come
        head.first.weight.div_(spread_K)
        head.first.bias.sub_(head.first.weight @ center_K)
    head.float()
