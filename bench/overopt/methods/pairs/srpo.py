"""SRPO: a policy and its own reviser, learned together, whose optimum does not depend on the data.

Paper: Choi et al. 2024, "Self-Improving Robust Preference Optimization"
(https://arxiv.org/abs/2406.01660): one network answers, pi(y|x), and revises an answer y,
pi+(y'|y,x). With r = log pi/pi_ref and r+ = log pi+/pi_ref,
    L+ = (1/2 - beta (r+(w|l) - r+(l|l)))^2 + (1/2 - beta (r+(w|w) - r+(l|w)))^2
    L_gen = (beta (r+(w|l) + r(w) - r+(l|w) - r(l)) - 1)^2
    L = (1-alpha) L_gen + alpha L+
(equation numbers not verified). Both residuals vanish in expectation at pi+(y'|y) ~ pi_ref(y'|y)
exp( P(y' beats y)/beta ) and pi ~ pi_ref/Z(y), Z(y) the sum of that over y'.
Checked against an unmerged trainer of TRL's by the paper's authors; the paper's alpha was not seen.
Deviations: the prompt of a revision is the prompt, the answer and one more separator, a form that
the initial policy was never trained on; so pi_ref's revisions are what it makes of it. What is
measured is the first answer; revisions at inference are not taken. Models get the context for it.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from overopt.methods.contract.pairs import PairBatch
from overopt.methods.contract.training import given
from overopt.spec.declare import knob, param

FAMILY = "pairs"
KNOB = knob("beta", low=0.005, high=10.0, raises_kl=False)
USES_GOLD = "none"
INPUTS = ("revisions",)


@dataclass(frozen=True)
class Config:
    """Settings of SRPO."""

    beta: float = param(
        0.1, help="strength of the pull toward the initial policy", unit="1/nats", above=0.0
    )
    reviser_weight: float = param(
        0.5, help="alpha, weight of the reviser's own loss", at_least=0.0, at_most=1.0
    )


def loss(config: Config, batch: PairBatch) -> Tensor:
    """(1-alpha) L_gen + alpha L+ of each pair, in nats squared.

    Args:
        config: beta, per nat; alpha.
        batch: B pairs and their four revisions, (B, T) each.

    Returns:
        Shape (B,).

    Reference:
        Self-Improving Robust Preference Optimization, https://arxiv.org/abs/2406.01660
    """
    revisions = given(batch.revisions, "revisions")
    w_of_l, l_of_l, w_of_w, l_of_w = (one.log_ratio for one in revisions)
    reviser_B = (0.5 - config.beta * (w_of_l - l_of_l)) ** 2
    reviser_B = reviser_B + (0.5 - config.beta * (w_of_w - l_of_w)) ** 2
    improved_B = w_of_l + batch.chosen.log_ratio - l_of_w - batch.rejected.log_ratio
    answers_B = (config.beta * improved_B - 1) ** 2
    return (1 - config.reviser_weight) * answers_B + config.reviser_weight * reviser_B
