"""AFT: the policy's scores put in the order of a list, and losers kept above a boundary.

Paper: Wang et al. 2023, "Making Large Language Models Better Reasoners with Alignment"
(https://arxiv.org/abs/2309.02144), boundary-constrained alignment with ranking feedback:
    L = NLL + log{ 1 + sum_{i better than j} [ exp(s_j - s_i) + exp(b_ij - s_j) ] }
    b_ij = 2 s*_j - 2 margin - s_i,   s*_j = min over the better ones of j,   s = log pi(y|x)/|y|
The term of i and j has no slope in s_j at s_j = s*_j - margin: above it the loser is pushed down,
below it is pulled up again. Abstract and digests were read (alignment, and a constraint by gradient
detaching or a soft boundary on losers); the two formulas are from memory of the paper and were
re-derived from that property, and the default margin is not the paper's.
Deviations: b carries no gradient. The paper samples from its fine-tuned model and calls responses
right or wrong by their answer, or ranks them; here a list is a pair of the preference data and
samples of the initial policy to its prompt, drawn once, ranked by the run's proxy. NLL is of the
best of the list, a mean over tokens, where the paper has human solutions. No reference is in it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from overopt.methods.contract.pairs import PairBatch
from overopt.methods.contract.training import given
from overopt.spec.declare import knob, param

FAMILY = "pairs"
KNOB = knob("margin", low=0.001, high=10.0, raises_kl=True)
USES_GOLD = "none"
INPUTS = ("listed",)


@dataclass(frozen=True)
class Config:
    """Settings of AFT."""

    margin: float = param(
        0.15, help="how far below the least of the better ones losers may fall", unit="nats/token",
        at_least=0.0,
    )  # fmt: skip
    samples: int = param(4, help="samples of the initial policy in each list", at_least=1)


def loss(config: Config, batch: PairBatch) -> Tensor:
    """AFT loss of each list, in nats per token.

    Args:
        config: margin, nats per token.
        batch: lists of per-token log-probabilities, nats, (B, M, T), with scores, SDs, (B, M).

    Returns:
        Shape (B,).

    Reference:
        Making Large Language Models Better Reasoners with Alignment,
        https://arxiv.org/abs/2309.02144
    """
    listed = given(batch.listed, "listed")
    reward_BM, own_BM = given(listed.score, "listed"), listed.mean_logp
    better_BMM = reward_BM[:, :, None] > reward_BM[:, None, :]  # first better than second
    fixed_BM = own_BM.detach()
    least_BM = fixed_BM[:, :, None].masked_fill(~better_BMM, math.inf).amin(1)
    bound_BMM = 2 * (least_BM[:, None, :] - config.margin) - fixed_BM[:, :, None]
    push_BMM = own_BM[:, None, :] - own_BM[:, :, None]
    pull_BMM = bound_BMM - own_BM[:, None, :]
    terms_2BMM = torch.stack([push_BMM, pull_BMM]).masked_fill(~better_BMM, -math.inf)
    terms_BK = terms_2BMM.transpose(0, 1).flatten(1)
    zero_B1 = torch.zeros_like(terms_BK[:, :1])  # the 1 of log{1 + sum}
    ordered_B = torch.cat([zero_B1, terms_BK], 1).logsumexp(-1)
    return ordered_B - own_BM.gather(1, reward_BM.argmax(-1, keepdim=True)).squeeze(1)
