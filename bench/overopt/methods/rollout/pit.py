"""PIT, an analogue: RLOO on answers, and on revisions for how much better they are.

Paper: Wang et al. 2023, "Enabling Language Models to Implicitly Learn Self-Improvement"
(https://arxiv.org/abs/2310.00898): the policy reads a reference response, pi(y|x,y_ref), and RL
maximizes the gap in quality, r_gap(x, y, y_ref) - beta KL; at inference y_ref is the last answer.
For a scalar proxy the gap is r(y) - r(y_ref), and where y_ref is not read its second term is a
baseline: with the prompt's other samples in turn for y_ref that is RLOO. Here a share s of the loss
is on samples that read one,
    L = (1 - s) L_RLOO(y) - s A' log pi(y'|x,y),   A' = g - mean g of the prompt's others
    g = r(y') - r(y) - beta log( pi(y'|x,y) / pi_ref(y'|x,y) )
so that s = 0 is RLOO. Known by abstract, reviews and the project's notes only; what was checked is
the gradient, enumerated.
Deviations: what is measured is the first answer, to which no reference is shown; revisions move it
through the weights that both forms share. References are the policy's own samples from the start,
where the paper's curriculum begins with data. The proxy scores answers alone, where the paper
trains a model of the gap itself; no supervised stage teaches the form prompt | answer | separator,
which the initial policy never saw. beta is 0 by default, so that a run is read along its steps.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from overopt.methods.contract.rollout import RolloutStep
from overopt.methods.contract.samples import Rollout
from overopt.methods.contract.training import given
from overopt.methods.math.estimators import leave_one_out, reinforce
from overopt.spec.declare import knob, param

FAMILY = "rollout"
KNOB = knob("beta", low=0.003, high=10.0, raises_kl=False)
USES_GOLD = "none"
INPUTS = ("revised_samples", "opponents_now")


@dataclass(frozen=True)
class Config:
    """Settings of PIT."""

    beta: float = param(
        0.0, help="KL penalty inside the reward", unit="reward SDs/nat", at_least=0.0
    )
    share: float = param(0.5, help="s, share of the loss on revisions", at_least=0.0, at_most=1.0)


def advantages(config: Config, rollout: Rollout) -> Tensor:
    """Penalized reward of each answer minus the mean of its prompt's others, (B, N), in SDs.

    Args:
        config: beta, reward SDs per nat.
        rollout: rewards (B, N) and log-probabilities (B, N, T) of N >= 2 samples per prompt.

    Raises:
        ValueError: if there is only one sample per prompt.

    Reference:
        Enabling Language Models to Implicitly Learn Self-Improvement,
        https://arxiv.org/abs/2310.00898
    """
    return leave_one_out(rollout.reward_BN - config.beta * rollout.sampled.log_ratio)


def loss(config: Config, step: RolloutStep) -> Tensor:
    """REINFORCE loss of each answer and of its revision, nats times SDs, shape (B, N).

    Args:
        config: beta, share.
        step: advantages (B, N) of the answers; answers and revisions as the policy reads them now.

    Reference:
        Enabling Language Models to Implicitly Learn Self-Improvement,
        https://arxiv.org/abs/2310.00898
    """
    answers_BN = reinforce(step.advantage, step.now.policy_logp, step.now.mask)
    revised = given(step.rollout.opponents, "revised_samples")
    now = given(step.opponents, "opponents_now")
    gap_BN = revised.reward_BN - step.rollout.reward_BN
    advantage_BN = leave_one_out(gap_BN - config.beta * revised.sampled.log_ratio)
    revisions_BN = reinforce(advantage_BN, now.policy_logp, now.mask)
    return (1 - config.share) * answers_BN + config.share * revisions_BN
