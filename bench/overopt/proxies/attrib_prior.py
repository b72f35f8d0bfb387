"""Attribution prior: how much each attribute counts for the reward is held to a prior.

Paper: Erion et al. 2019, "Improving performance of deep learning models with axiomatic attribution
priors and expected gradients" (https://arxiv.org/abs/1906.10670): a penalty on a model's
attributions beside its loss (from memory of the paper; nothing of it was verified).
An analogue: none of its penalties is for reward models. Here the reward is linear in attributes,
    r = sum_k w_k f_k,   f_k = a_k . h by the Bradley-Terry loss on labels of term k,
so that the attribution of a comparison to attribute k is exactly c_k = w_k (f_k(y_w) - f_k(y_l)),
    importance_k = mean |c_k| / sum_j mean |c_j|   over all comparisons,
    w = argmin of mean -log sigmoid(r_w - r_l) + lambda KL(prior || importance)
h is the state at the response's last token. The prior is equal by default. Attributes are trained
with the trunk; then weights are fitted to convergence, on the attributes as they are. Trained
beside them, in a task's few steps, weights would stay where they start, whatever the prior.
Labels of terms tell more of gold than a comparison does: this system uses gold in training.
Deviations: attributes do not learn from the overall labels, nor from the prior, which moves the
weights alone. Weights are above 0, since labels of a term say which side is better by it; they are
sought in their logarithms, from 1, with a ridge of 1e-5 on these: without it labels that are all
told right, or a prior of 0, would take them ever further.
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
_TINY, _RIDGE = 1e-30, 1e-5


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
        self.weight_K: Tensor
        self.register_buffer("weight_K", torch.ones(attributes))

    def forward(self, states: HeadStates) -> Tensor:
        """Reward and attributes (B, 1 + K)."""
        attribute_BK = self.attributes(states.last_BD)
        reward_B = attribute_BK.detach() @ self.weight_K
        return torch.cat([reward_B[:, None], attribute_BK], dim=1)


def make_head(config: Config, shape: HeadShape) -> Additive:
    """The attributes and their weights.

    Args:
        config: unused.
        shape: width of the trunk, how many terms the rule has.
    """
    return Additive(shape.width, shape.labels["terms"])


def loss(config: Config, batch: ReadBatch) -> Tensor:
    """Bradley-Terry loss of the attributes, the mean over all of them, nats, (P,).

    An attribute learns nothing from a pair that its term does not tell apart.

    Args:
        config: unused.
        batch: outputs of both sides; terms (P, K): 1 or -1 for the side that is better, or 0.

    Reference:
        Improving performance of deep learning models with axiomatic attribution priors and expected
        gradients, https://arxiv.org/abs/1906.10670
    """
    term_PK = batch.labels["terms"]
    attribute_PK = (
        given(batch.chosen.output_PC, "output_PC") - given(batch.rejected.output_PC, "output_PC")
    )[:, 1:]
    return (-logsigmoid(term_PK * attribute_PK) * term_PK.abs()).mean(1)


def settle(config: Config, head: Additive, trained: TrainedStates) -> None:
    """The weights, by Bradley-Terry on all comparisons and the distance to the prior.

    Args:
        config: lambda and prior.
        head: whose attributes are trained.
        trained: states of both sides of the comparisons.

    Raises:
        ValueError: the prior is not one number for each term, at least 0 and not all 0.

    Reference:
        Improving performance of deep learning models with axiomatic attribution priors and expected
        gradients, https://arxiv.org/abs/1906.10670
    """
    with torch.no_grad():
        apart_PD = trained.chosen.last_BD - trained.rejected.last_BD
        apart_PK = head.attributes(apart_PD).double()
    prior_K = read_prior(config, apart_PK.shape[1]).to(apart_PK)
    log_weight_K = torch.zeros_like(prior_K).requires_grad_()

    def objective() -> Tensor:
        part_PK = log_weight_K.exp() * apart_PK
        told = -logsigmoid(part_PK.sum(1)).mean() + _RIDGE / 2 * (log_weight_K**2).sum()
        return told + config.weight * distance(prior_K, part_PK)

    minimize(objective, [log_weight_K])
    head.weight_K.copy_(log_weight_K.detach().exp())


def distance(prior_K: Tensor, part_PK: Tensor) -> Tensor:
    """KL from the prior to the importance of each part of P margins, nats, a single number."""
    size_K = part_PK.abs().mean(0) + _TINY
    return (torch.xlogy(prior_K, prior_K) - prior_K * (size_K / size_K.sum()).log()).sum()


def read_prior(config: Config, terms: int) -> Tensor:
    """The prior importance of each term, (K,), which adds up to 1.

    Raises:
        ValueError: it is not one number for each term, at least 0 and not all 0.
    """
    share_K = torch.ones(terms)
    if config.prior:
        share_K = torch.tensor([float(word) for word in config.prior.split(",")])
    finite = bool(share_K.isfinite().all())
    if len(share_K) != terms or not finite or bool((share_K < 0).any()) or not share_K.any():
        raise ValueError(
            f"prior = {config.prior}: give one number for each of {terms} terms, at least 0 and "
            "not all 0"
        )
    return share_K / share_K.sum()
