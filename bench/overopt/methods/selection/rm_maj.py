"""Reward-weighted vote: draw n responses, let each vote for its answer with the proxy's weight.

Paper: Li et al. 2022, "Making Large Language Models Better Reasoners with Step-Aware Verifier"
(https://arxiv.org/abs/2206.02336), voting verifier; Uesato et al. 2022, "Solving math word problems
with process- and outcome-based feedback" (https://arxiv.org/abs/2211.14275), reward-model-weighted
decoding. Of n sampled solutions the answer
    argmax_a sum_i 1[a_i = a] f(y_i),   f in (0, 1): that y_i is correct, by the verifier
is taken. Equation numbers not verified. Equal weights are the majority vote.
Deviations: f = sigmoid(r / temperature) of the proxy's reward r, in SDs of the initial policy: a
proxy of preferences is no verifier, and its logit has no zero. One of the responses with the
winning answer is returned, each with the same probability, since the suite measures responses.
Responses without an answer have no vote; where there is none, any is returned. For worlds whose
responses end with an answer.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import log_expit

from overopt.methods.contract.selection import Floats, ScoredPool
from overopt.methods.contract.training import given
from overopt.spec.declare import knob, param
from overopt.stats.pools.votes import elect

FAMILY = "selection"
KNOB = knob("n", low=2.0, high=256.0, raises_kl=True, whole=True)
USES_GOLD = "none"
INPUTS = ("answers",)


@dataclass(frozen=True)
class Config:
    """Settings of the reward-weighted vote."""

    temperature: float = param(
        1.0, help="reward over which the odds of a vote grow by e", unit="reward SDs", above=0.0
    )


def draw_size(config: Config, knob: float) -> int:
    """Responses that are drawn: n."""
    return int(knob)


def draw_weights(config: Config, draws: ScoredPool, knob: float) -> Floats:
    """Probability that each of the n responses of a draw is returned.

    Args:
        config: temperature.
        draws: with proxy score and answer of each response, (D, n).
        knob: n.

    Returns:
        Shape (D, n); every row sums to 1.

    Reference:
        Making Large Language Models Better Reasoners with Step-Aware Verifier,
        https://arxiv.org/abs/2206.02336
    """
    answer_Dn = given(draws.answer_BN, "answers")
    log_Dn = log_expit(draws.proxy_BN / config.temperature)
    # relative to the draw's best vote: below r = -745 temperatures the sigmoid itself is 0
    best_D1 = np.where(answer_Dn >= 0, log_Dn, -np.inf).max(axis=1, keepdims=True)
    vote_Dn = np.exp(np.minimum(log_Dn - best_D1, 0.0))
    return elect(answer_Dn, np.maximum(vote_Dn, np.finfo(np.float64).tiny))


def samples_used(config: Config, pool_samples: int, knob: float) -> int:
    """Samples that one response costs: n."""
    return int(knob)
