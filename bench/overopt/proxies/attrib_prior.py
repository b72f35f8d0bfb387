"""Attribution prior: how much each attribute counts for the reward is held to a prior.

Paper: Erion et al. 2019, "Improving performance of deep learning models with axiomatic attribution
priors and expected gradients" (https://arxiv.org/abs/1906.10670): a penalty on a model's
attributions beside its loss (from memory of the paper; nothing of it was verified).
An analogue: none of its penalties is for reward models. Here the reward is linear in attributes,
    r = sum_k w_k f_k,   f_k = a_k . h by the Bradley-Terry loss on labels of term k,
so that the attribution of a comparison to attribute k is exactly c_k = w_k (f_k(y_w) - f_k(y_l)),
    importance_k = mean |c_k| / sum_j mean |c_j|   over the comparisons of a batch,
    L = -log sigmoid(r_w - r_l) + lambda KL(prior || importance)
h is the state at the response's last token. The prior is equal by default.
Labels of terms tell more of gold than a comparison does: this system uses gold in training.
Deviations: attributes are learned beside the reward, which does not move them; the penalty is over
the batch, every pair of which carries it whole.
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
_TINY = 1e-8


@dataclass(frozen=True)
class Config:
    """Settings of the attribution prior."""

    members: int = param(1, help="reward models, same pairs, different seeds", at_least=1)
    weight: float = param(1.0, help="lambda: of the distance to the prior", at_least=0.0)
    prior: str = param(
        "", help="importance of each term, separated by commas such as 2,1,1; equal if empty"
    )


class Additive(nn.Module):
    """K linear attributes of the state, and a weight for each."""

    def __init__(self, width: int, attributes: int) -> None:
        super().__init__()
        self.attributes = nn.Linear(width, attributes, bias=False)
        self.weight_K = nn.Parameter(torch.ones(attributes))

    def forward(self, states: HeadStates) -> Tensor:
        """Reward, its K parts, and the attributes (B, 1 + 2 K)."""
        attribute_BK = self.attributes(states.last_BD)
        part_BK = self.weight_K * attribute_BK.detach()
        return torch.cat([part_BK.sum(1, keepdim=True), part_BK, attribute_BK], dim=1)


def make_head(config: Config, shape: HeadShape) -> Additive:
    """The attributes and their weights.

    Args:
        config: unused.
        shape: width of the trunk, how many terms the rule has.
    """
    return Additive(shape.width, shape.labels["terms"])


def loss(config: Config, batch: ReadBatch) -> Tensor:
    """Bradley-Terry losses of reward and attributes, and the distance to the prior, nats, (P,).

    Args:
        config: lambda and prior.
        batch: outputs of both sides; terms (P, K): 1 or -1 for the side that is better, or 0.

    Raises:
        ValueError: the prior is not one number for each term, at least 0 and not all 0.

    Reference:
        Improving performance of deep learning models with axiomatic attribution priors and expected
        gradients, https://arxiv.org/abs/1906.10670
    """
    term_PK = batch.labels["terms"]
    difference_PC = given(batch.chosen.output_PC, "output_PC") - given(
        batch.rejected.output_PC, "output_PC"
    )
    terms = term_PK.shape[1]
    reward_P1, part_PK, attribute_PK = torch.split(difference_PC, [1, terms, terms], dim=1)
    told_PK = -logsigmoid(term_PK * attribute_PK) * term_PK.abs()
    size_K = part_PK.abs().mean(0) + _TINY
    prior_K = _prior(config, term_PK)
    apart_K = torch.xlogy(prior_K, prior_K) - prior_K * (size_K / size_K.sum()).log()
    return -logsigmoid(reward_P1[:, 0]) + told_PK.mean(1) + config.weight * apart_K.sum()


def _prior(config: Config, term_PK: Tensor) -> Tensor:
    """The prior importance of each term, (K,), which adds up to 1."""
    terms = term_PK.shape[1]
    share_K = torch.ones(terms)
    if config.prior:
        share_K = torch.tensor([float(word) for word in config.prior.split(",")])
    if len(share_K) != terms or bool((share_K < 0).any()) or not float(share_K.sum()) > 0:
        raise ValueError(
            f"prior = {config.prior}: give one number for each of {terms} terms, at least 0 and "
            "not all 0"
        )
    return (share_K / share_K.sum()).to(term_PK)
