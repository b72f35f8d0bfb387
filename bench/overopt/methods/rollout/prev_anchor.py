"""Mirror descent: RL whose KL penalty is toward the policy of the last rollouts.

Paper: Tomar et al. 2020, "Mirror Descent Policy Optimization" (https://arxiv.org/abs/2005.09814):
each iteration k takes several gradient steps on
    E_pi[ A ] - 1/t_k KL(pi || pi_k)
and the policy that comes out is the next anchor. Here, with A = r and eta = 1/t_k, an iteration
solved exactly gives pi_{k+1} = pi_k exp(r/eta)/Z, so that k of them give pi_ref exp(k r/eta)/Z:
no iteration goes far, and nothing bounds how far they go together.
Known from memory of the paper; the equation's number was not verified.
Deviations: the penalty is that of whole responses, inside the reward, with a leave-one-out
baseline on fresh samples (the paper's samples are those of pi_k, with ratios); an iteration is a
number of rollouts, and eta is constant (the paper's rises).
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from overopt.methods.contract.rollout import RolloutStep
from overopt.methods.contract.samples import Rollout
from overopt.methods.contract.training import AfterStep, Weights
from overopt.methods.math.estimators import leave_one_out, reinforce
from overopt.spec.declare import knob, param

FAMILY = "rollout"
KNOB = knob("eta", low=0.003, high=30.0, raises_kl=False)
USES_GOLD = "none"


@dataclass(frozen=True)
class Config:
    """Settings of mirror descent."""

    eta: float = param(
        1.0, help="KL penalty toward the last iterate", unit="reward SDs/nat", at_least=0.0
    )
    rollouts: int = param(8, help="of an iteration, after which the anchor moves", at_least=1)


def begin(config: Config, initial: Weights) -> None:
    """Nothing is remembered; the first anchor is the initial policy."""
    return


def after_round(config: Config, memory: None, weights: Weights, number: int) -> AfterStep:
    """The policy after every ``rollouts`` rollouts is the next anchor.

    Reference:
        Mirror Descent Policy Optimization, https://arxiv.org/abs/2005.09814
    """
    if number % config.rollouts:
        return AfterStep(None)
    return AfterStep(None, anchor=weights)


def advantages(config: Config, rollout: Rollout) -> Tensor:
    """Penalized reward of each response minus the mean of its prompt's others, (B, N)."""
    return leave_one_out(rollout.reward_BN - config.eta * rollout.sampled.anchor_log_ratio)


def loss(config: Config, step: RolloutStep) -> Tensor:
    """REINFORCE loss of each response, (B, N): -A log pi(y|x), in nats."""
    return reinforce(step.advantage, step.now.policy_logp, step.now.mask)
