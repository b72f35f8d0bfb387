"""Implicit process rewards: a policy trained on outcomes alone, whose log-ratios score each step.

Paper: Yuan et al. 2024, "Free Process Rewards without Process Labels"
(https://arxiv.org/abs/2412.01981) (PRIME's reward model), the form trained by cross-entropy,
checked against the authors' released code:
    q_t = b sum_{i <= t} log(pi(y_i|x, y_<i) / pi_ref(y_i|x, y_<i)),   q = q_T,   b = 0.05
    L = -l log sigmoid(q) - (1 - l) log(1 - sigmoid(q)),   l = 1 where the outcome is right
(the authors' page lacks the minus sign). The reward of the step from s to t is q_t - q_s, so that
the steps' rewards add up to the outcome's. A response's score is the whole q ("outcome"), or the
smallest, mean or sum of its steps' rewards, or, "accumulate", of the q_t at their ends.
The outcome of a response tells more than which of two is better: this system uses gold in training.
For worlds with checked answers whose responses have steps, such as arithmetic.
Deviations: trained at the task's settings for proxies, which are for rewards of any size: the
paper's learning rate is 5e-7 at 64 responses to a step. Both responses of a pair are read, and the
pair's loss is the mean of both. The unpaired form is the only one here; by comparisons it is
``implicit``. Its steps score responses only: methods that ask for rewards of steps need ``prm``.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from overopt.proxies.contract.heads import ReadBatch, Reading, given
from overopt.proxies.contract.policies import PolicyReading
from overopt.spec.declare import param

INPUTS = ("step_ends",)
LABELS = ("outcomes",)
USES_GOLD = "training"


@dataclass(frozen=True)
class Config:
    """Settings of implicit process rewards."""

    members: int = param(1, help="policies, same outcomes, different orders", at_least=1)
    beta: float = param(0.05, help="b: scale of the log-ratios", unit="1/nats", above=0.0)
    over: str = param(
        "outcome",
        help="what is made of the steps' rewards",
        one_of=("outcome", "min", "mean", "sum"),
    )
    accumulate: bool = param(
        False, help="reduce the q_t at the steps' ends, not their differences; not of over=outcome"
    )


def loss(config: Config, batch: ReadBatch) -> Tensor:
    """Cross-entropy of the outcome of either response, mean of both, nats, (P,).

    Args:
        config: b.
        batch: log-probabilities of both sides by policy and reference; outcomes (P, 2), 1 or 0.

    Reference:
        Free Process Rewards without Process Labels, https://arxiv.org/abs/2412.01981
    """
    right_P2 = batch.labels["outcomes"]
    chosen_P, rejected_P = (
        _outcome_loss(config, side, right_P2[:, number])
        for number, side in enumerate((batch.chosen, batch.rejected))
    )
    return 0.5 * (chosen_P + rejected_P)


def _outcome_loss(config: Config, side: Reading, right_P: Tensor) -> Tensor:
    policy_PT, reference_PT = (
        given(side.logp_PT, "logp_PT"),
        given(side.reference_logp_PT, "reference_logp_PT"),
    )
    q_P = config.beta * (policy_PT - reference_PT).sum(-1)
    return binary_cross_entropy_with_logits(q_P, right_P.to(q_P), reduction="none")


def score(config: Config, reading: PolicyReading) -> Tensor:
    """The whole log-ratio of each response, or what its steps' come to, (N,).

    Args:
        config: b, which reduction, of what.
        reading: log-probabilities by both policies, and where steps end.

    Reference:
        Free Process Rewards without Process Labels, https://arxiv.org/abs/2412.01981
    """
    q_NT = config.beta * (reading.policy_logp_NT - reading.reference_logp_NT).cumsum(-1)
    if config.over == "outcome":
        return q_NT[:, -1]
    end_NT = given(reading.end_NT, "end_NT")
    if not config.accumulate:
        q_NT = q_NT - _last_before(q_NT, end_NT)
    if config.over == "min":
        return q_NT.masked_fill(~end_NT, torch.inf).amin(-1)
    sum_N = (q_NT * end_NT).sum(-1)
    return sum_N / end_NT.sum(-1) if config.over == "mean" else sum_N


def _last_before(q_NT: Tensor, end_NT: Tensor) -> Tensor:
    """q at the end of the step before the one that each token belongs to; 0 in the first."""
    place_NT = torch.arange(1, q_NT.shape[1] + 1, device=q_NT.device).expand_as(q_NT) * end_NT
    latest_NT = place_NT.cummax(-1).values  # 1 + place of the latest end, this token's own included
    before_NT = torch.cat([torch.zeros_like(latest_NT[:, :1]), latest_NT[:, :-1]], 1)
    padded_NT = torch.cat([torch.zeros_like(q_NT[:, :1]), q_NT], 1)
    return padded_NT.gather(1, before_NT)
