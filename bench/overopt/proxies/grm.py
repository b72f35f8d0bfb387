"""GRM: a reward model that goes on being a language model of the responses it prefers.

Paper: Yang et al. 2024, "Regularizing Hidden States Enables Learning Generalizable Reward Model for
LLMs" (https://arxiv.org/abs/2406.10216), checked against the authors' released code. The language
head is kept beside the reward's:
    L = (1 - a) (-log sigmoid(r_w - r_l)) + a L_reg,   a = 0.01,   b = 0.1
    L_reg = -log sigmoid(b log pi(y_w|x))                                  "sft", the default
          = -log sigmoid(b (log pi(y_w|x) - log pi(y_l|x)))                "dpo-noref"
          = -log sigmoid(b (log pi(y_w|x) - log pi(y_l|x) - the same of pi_ref))       "dpo"
          = -log pi(y_w|x)                                                 "nll"
log pi is summed over the response. "sft" is no likelihood: it saturates to b times it for long
responses. The head is Linear(D, 1024), ReLU, Linear(1024, 1) with dropout 0.1.
The trunk is the initial policy, whatever a task's proxies start from: a model from random weights
has no language head to keep.
Deviations: the trunk is trained whole, the paper's by adapters; dropout acts on the state that the
head reads (its place in the paper's head was not verified).
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from overopt.proxies.contract.heads import HeadShape, HeadStates, ReadBatch, given
from overopt.spec.declare import param

START = "policy"
INPUTS = ("logps", "reference_logps")


@dataclass(frozen=True)
class Config:
    """Settings of GRM."""

    members: int = param(1, help="reward models, same pairs, different seeds", at_least=1)
    weight: float = param(
        0.01, help="a: share of the text-generation loss", at_least=0.0, at_most=1.0
    )
    beta: float = param(0.1, help="b: scale of log-probabilities", unit="1/nats", above=0.0)
    regularizer: str = param(
        "sft", help="text-generation loss", one_of=("sft", "dpo-noref", "dpo", "nll")
    )
    hidden: int = param(1024, help="width of the head's hidden layer", at_least=1)
    dropout: float = param(0.1, help="of the state that the head reads", at_least=0.0, at_most=0.9)


class MLPHead(nn.Module):
    """Linear, ReLU, linear, on the state at the response's last token, with dropout."""

    def __init__(self, width: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Dropout(dropout), nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, 1)
        )

    def forward(self, states: HeadStates) -> Tensor:
        """Reward (B, 1) of each response."""
        reward_B1: Tensor = self.layers(states.last_BD)
        return reward_B1


def make_head(config: Config, shape: HeadShape) -> MLPHead:
    """The two-layer head.

    Args:
        config: width of its hidden layer, dropout.
        shape: width of the trunk.
    """
    return MLPHead(shape.width, config.hidden, config.dropout)


def loss(config: Config, batch: ReadBatch) -> Tensor:
    """Bradley-Terry and text-generation loss of each comparison, weighted, nats, (P,).

    Args:
        config: a, b, which regularizer.
        batch: rewards and log-probabilities of both sides.

    Raises:
        ValueError: there is no such regularizer.

    Reference:
        Regularizing Hidden States Enables Learning Generalizable Reward Model for LLMs,
        https://arxiv.org/abs/2406.10216
    """
    ranking_P = -logsigmoid(batch.chosen_P - batch.rejected_P)
    return (1.0 - config.weight) * ranking_P + config.weight * _regularize(config, batch)


def _regularize(config: Config, batch: ReadBatch) -> Tensor:
    """L_reg of each comparison, (P,)."""
    chosen_P = given(batch.chosen.logp_PT, "logp_PT").sum(-1)
    if config.regularizer == "nll":
        return -chosen_P
    if config.regularizer == "sft":
        return -logsigmoid(config.beta * chosen_P)
    margin_P = chosen_P - given(batch.rejected.logp_PT, "logp_PT").sum(-1)
    if config.regularizer == "dpo":
        margin_P = margin_P - given(batch.chosen.reference_logp_PT, "reference_logp_PT").sum(-1)
        margin_P = margin_P + given(batch.rejected.reference_logp_PT, "reference_logp_PT").sum(-1)
    elif config.regularizer != "dpo-noref":
        raise ValueError(f"regularizer {config.regularizer!r} is not sft, dpo-noref, dpo or nll")
    return -logsigmoid(config.beta * margin_P)
