"""XPO: online DPO against the initial policy's samples, whose likelihood is pushed down.

Paper: Xie et al. 2024, "Exploratory Preference Optimization: Harnessing Implicit Q*-Approximation
for Sample-Efficient RLHF" (https://arxiv.org/abs/2405.21046), for y of the policy and y' of the
initial one, w the better and l the worse of both:
    L = -log sigmoid( beta (h_w - h_l) ) + alpha log pi(y'|x),   h = log( pi / pi_ref )
(equation number not verified). The bonus rewards leaving what the initial policy already says;
alpha = 0 is DPO on such pairs. Checked against the code of TRL's former trainer (1.16 has none),
sign and sum over tokens included, and held against TRL's loss of DPO at alpha = 0.
Deviations: the proxy prefers; two equal rewards make no pair. Each prompt's N samples meet as many
of the initial policy, where the paper draws one of each, and old pairs are not kept.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from overopt.methods.contract.iterative import RowPairs, SamplePairs
from overopt.methods.contract.samples import Rollout
from overopt.methods.contract.training import given
from overopt.methods.math.responses import log_likelihood
from overopt.spec.declare import knob, param

FAMILY = "iterative"
KNOB = knob("beta", low=0.001, high=10.0, raises_kl=False)
USES_GOLD = "none"
INPUTS = ("reference_samples",)


@dataclass(frozen=True)
class Config:
    """Settings of XPO."""

    beta: float = param(
        0.1, help="strength of the pull toward the initial policy", unit="1/nats", above=0.0
    )
    alpha: float = param(
        1e-5, help="weight of the likelihood of the initial policy's samples", at_least=0.0
    )


def build(config: Config, rollout: Rollout) -> RowPairs:
    """Each sample and one of the initial policy, the better one chosen; none where they tie.

    Args:
        config: unused here.
        rollout: preferences (B, N, N) over the initial policy's samples.

    Returns:
        Rows, shape (P,) each, P <= B N; the label is 1 where the policy's own is chosen, else 0.

    Reference:
        Exploratory Preference Optimization, https://arxiv.org/abs/2405.21046
    """
    wins_P = rollout.preference_BNN.diagonal(dim1=1, dim2=2).flatten()
    own_P, other_P = rollout.row_BN.flatten(), rollout.opponent_row_BM.flatten()
    own_wins_P = wins_P > 0.5
    chosen_P, rejected_P = (
        torch.where(own_wins_P, first_P, second_P)
        for first_P, second_P in ((own_P, other_P), (other_P, own_P))
    )
    kept_P = wins_P != 0.5
    return RowPairs(chosen_P[kept_P], rejected_P[kept_P], own_wins_P[kept_P].to(wins_P))


def loss(config: Config, batch: SamplePairs) -> Tensor:
    """DPO loss of each pair plus the bonus, in nats, shape (B,).

    Args:
        config: beta, per nat; alpha.
        batch: B pairs of per-token log-probabilities, nats, (B, T), with labels (B,).

    Reference:
        Exploratory Preference Optimization, https://arxiv.org/abs/2405.21046
    """
    own_chosen_B = given(batch.chosen.label, "a label") > 0.5
    other_B = torch.where(
        own_chosen_B, log_likelihood(batch.rejected), log_likelihood(batch.chosen)
    )
    margin_B = batch.chosen.log_ratio - batch.rejected.log_ratio
    return -logsigmoid(config.beta * margin_B) + config.alpha * other_B
