"""Majority vote: draw n responses, and return one of those that give the most frequent answer.

Paper: Wang et al. 2022, "Self-Consistency Improves Chain of Thought Reasoning in Language Models"
(https://arxiv.org/abs/2203.11171): of n sampled solutions the answer
    argmax_a sum_i 1[a_i = a]
is taken, and what led to it is forgotten. Equation number not verified. The proxy has no part in
it: what can be overoptimized here is the initial policy's own favorite answer.
Within an answer, responses keep the initial policy's probabilities, so that KL is that of the
answers: with n -> infinity log 1/P(a*), which few votes nearly reach where one answer leads, and
which n = 2 leaves at 0.
Deviations: a vote returns an answer and the suite measures responses, so that one of the responses
with the winning answer is returned, each with the same probability. Responses without an answer
have no vote; where there is none, any is returned. Ties are broken at random. Sampling is at
temperature 1. For worlds whose responses end with an answer.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from overopt.methods.contract.selection import Floats, ScoredPool
from overopt.methods.contract.training import given
from overopt.spec.declare import knob
from overopt.stats.pools.votes import elect

FAMILY = "selection"
KNOB = knob("n", low=2.0, high=256.0, raises_kl=True, whole=True)
USES_GOLD = "none"
INPUTS = ("answers",)


@dataclass(frozen=True)
class Config:
    """Majority vote has no setting besides its knob, the number n of voters."""


def draw_size(config: Config, knob: float) -> int:
    """Responses that are drawn: n."""
    return int(knob)


def draw_weights(config: Config, draws: ScoredPool, knob: float) -> Floats:
    """Probability that each of the n responses of a draw is returned.

    Args:
        config: no setting.
        draws: with the answer of each response, (D, n).
        knob: n.

    Returns:
        Shape (D, n); every row sums to 1.

    Reference:
        Self-Consistency Improves Chain of Thought Reasoning, https://arxiv.org/abs/2203.11171
    """
    answer_Dn = given(draws.answer_BN, "answers")
    return elect(answer_Dn, np.ones(answer_Dn.shape))


def samples_used(config: Config, pool_samples: int, knob: float) -> int:
    """Samples that one response costs: n."""
    return int(knob)
