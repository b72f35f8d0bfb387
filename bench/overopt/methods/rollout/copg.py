"""CoPG: the squared difference of two responses' penalized rewards, through the penalty.

Paper: Flet-Berliac et al. 2024, "Contrastive Policy Gradient: Aligning LLMs on Sequence-Level
Scores in a Supervised-Friendly Fashion" (https://arxiv.org/abs/2406.19185). With
    R(y) = r(y) - beta log( pi(y|x)/pi_ref(y|x) ), gradient through log pi
it descends (R(y) - R(y'))^2 for any two responses, whoever drew them: no ratios, no clipping. Of N
samples, 1/(N-1) sum_{i>j} (R_i - R_j)^2. It is 0 where all R are equal, at pi_ref exp(r/beta)/Z.
The derivative in log pi(y_i) is -2 beta A_i for A the leave-one-out advantage of R, so that on
fresh samples it is RLOO with a penalty. Known from third parties that agree with each other and
with this algebra; the paper's text, with its equations, was not read.
Deviations: the loss is divided by 2 beta, so that beta does not set the step too; the loss of a
pair is shared equally by its two responses; the default of beta and passes are ours.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from overopt.methods.contract.rollout import RolloutStep
from overopt.methods.contract.samples import Rollout
from overopt.methods.contract.training import Training
from overopt.methods.math.pairing import squared_gaps
from overopt.spec.declare import knob, param

FAMILY = "rollout"
KNOB = knob("beta", low=0.003, high=10.0, raises_kl=False)
USES_GOLD = "none"


@dataclass(frozen=True)
class Config:
    """Settings of CoPG."""

    beta: float = param(0.1, help="KL penalty", unit="reward SDs/nat", above=0.0)
    epochs: int = param(1, help="passes over the samples of one rollout", at_least=1)


def training(config: Config) -> Training:
    """Inner epochs."""
    return Training(config.epochs)


def advantages(config: Config, rollout: Rollout) -> Tensor:
    """The rewards themselves, (B, N): the loss compares them."""
    return rollout.reward_BN


def loss(config: Config, step: RolloutStep) -> Tensor:
    """Squared differences of penalized rewards over 2 beta, (B, N).

    Args:
        config: beta.
        step: rewards (B, N), and the responses as policy and reference read them now.

    Returns:
        Half of every squared difference for each of its two responses, over N - 1, so that the sum
        of a prompt's entries is the paper's loss over 2 beta.

    Reference:
        Contrastive Policy Gradient, https://arxiv.org/abs/2406.19185
    """
    penalized_BN = step.advantage - config.beta * step.now.log_ratio
    return squared_gaps(penalized_BN) / (2 * config.beta)
