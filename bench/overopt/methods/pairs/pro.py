"""PRO: each response of a ranked list against all below it, more sharply where rewards differ more.

Paper: Song et al. 2023, "Preference Ranking Optimization for Human Alignment"
(https://arxiv.org/abs/2306.17492): of the responses y_1 ... y_M of a list, best first by rewards R,
    L = -sum_{k<M} log [ exp(T_k s_k) / ( exp(T_k s_k) + sum_{i>k} exp(T_ki s_i) ) ]
        - c (M-1)^2 log pi(y_1|x),     T_ki = R_k - R_i,   T_k = max_i T_ki
with s = log pi(y|x)/|y| (equation numbers not verified). There is no reference in it.
Checked against the authors' code, which scales s by differences of rewards, as written here, and
sums the likelihood of y_1 over tokens; c is .05 in its script for HH, 2 by default.
Deviations: a list is a pair of the preference data and samples of the initial policy to its prompt,
drawn once (the paper's holds responses of several models); the reward model that ranks it is the
run's proxy, as theirs ranks lists, and labels have no say. Rewards are in SDs of the initial
policy. Two responses of equal reward give a constant, whose gradient is zero. The knob is c, which
moves KL after a set number of steps: the larger it is, the less the ranking counts, which nothing
holds back, and the smaller KL is.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from overopt.methods.contract.pairs import PairBatch
from overopt.methods.contract.training import given
from overopt.spec.declare import knob, param

FAMILY = "pairs"
KNOB = knob("likelihood_weight", low=0.0001, high=10.0, raises_kl=False)
USES_GOLD = "none"
INPUTS = ("listed",)


@dataclass(frozen=True)
class Config:
    """Settings of PRO."""

    likelihood_weight: float = param(
        0.05, help="c, weight of the best response's likelihood", at_least=0.0
    )
    samples: int = param(4, help="samples of the initial policy in each list", at_least=1)


def loss(config: Config, batch: PairBatch) -> Tensor:
    """PRO loss of each list, in nats.

    Args:
        config: c.
        batch: lists of per-token log-probabilities, nats, (B, M, T), with scores, SDs, (B, M).

    Returns:
        Shape (B,).

    Reference:
        Preference Ranking Optimization for Human Alignment, https://arxiv.org/abs/2306.17492
    """
    listed = given(batch.listed, "listed")
    reward_BM, order_BM = given(listed.score, "listed").sort(dim=-1, descending=True, stable=True)
    own_BM = listed.mean_logp.gather(1, order_BM)
    below_BMM = reward_BM[:, :, None] - reward_BM[:, None, :]  # T_ki, at least 0 for i > k
    sharpest_BM = below_BMM[:, :, -1]
    size = reward_BM.shape[1]
    lower_MM = torch.ones(size, size, dtype=torch.bool, device=reward_BM.device).triu(1)
    rivals_BMM = (below_BMM * own_BM[:, None, :]).masked_fill(~lower_MM, -torch.inf)
    own_term_BM = sharpest_BM * own_BM
    every_BMM = torch.cat([own_term_BM[:, :, None], rivals_BMM], -1)
    ranking_B = (every_BMM.logsumexp(-1) - own_term_BM)[:, :-1].sum(-1)
    logp_BM = (listed.policy_logp * listed.mask).sum(-1)
    best_B = logp_BM.gather(1, order_BM[:, :1]).squeeze(1)
    return ranking_B - config.likelihood_weight * (size - 1) ** 2 * best_B
