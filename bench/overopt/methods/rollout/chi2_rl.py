"""chi^2-regularized RL: reward less the root of the chi^2 divergence to the initial policy.

Paper: Laidlaw, Singhal and Dragan 2024, "Correlated Proxies: A New Definition and Improved
Mitigation for Reward Hacking" (https://arxiv.org/abs/2403.03185): maximize E_pi[r] - c
sqrt(chi^2(pi || pi_ref)), with the augmented reward of its method ORPO,
    R' = r - c / sqrt(chi^2) rho,   rho = pi(y|x) / pi_ref(y|x),   chi^2 = E_pi[rho] - 1
whose policy gradient is that of the objective. The paper's theory gives c = sigma sqrt(1 - k^2),
sigma the proxy's SD under pi_ref (1 here) and k its correlation with gold. Equation numbers were
not verified.
From the authors' released code for language models: whole-response ratios, chi^2 estimated as the
batch mean of rho + 1/rho - 2 (whose expectation is chi^2) and at least 1e-4,
ratios continued linearly beyond e^10. Where the policy has left part of pi_ref's support, samples
do not show it, and that estimate falls short of chi^2 by its pi_ref mass.
Deviations: the released code differentiates that estimate inside a PPO loss; here the augmented
reward enters REINFORCE with a leave-one-out baseline, as in the paper's objective.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from overopt.methods.contract.rollout import RolloutStep
from overopt.methods.contract.samples import Rollout
from overopt.methods.math.estimators import leave_one_out, reinforce
from overopt.spec.declare import knob, param

FAMILY = "rollout"
# at a price above the proxy's SD, 1 here, the optimum is the initial policy itself
KNOB = knob("coefficient", low=0.001, high=1.0, raises_kl=False)
USES_GOLD = "none"

LOG_RATIO_MAX = 10.0
CHI2_MIN = 1e-4


@dataclass(frozen=True)
class Config:
    """Settings of chi^2-regularized RL."""

    coefficient: float = param(
        0.1, help="c, price of sqrt(chi^2) to the initial policy", unit="reward SDs", at_least=0.0
    )


def ratio(log_ratio: Tensor) -> Tensor:
    """exp of a log-ratio, continued linearly beyond e^10 so that it stays finite."""
    held = log_ratio.clamp(max=LOG_RATIO_MAX)
    return held.exp() + math.exp(LOG_RATIO_MAX) * (log_ratio - held)


def chi_squared(log_ratio: Tensor) -> Tensor:
    """chi^2(pi || pi_ref) from samples of pi: mean of rho + 1/rho - 2, at least 1e-4; a scalar."""
    return (ratio(log_ratio) + ratio(-log_ratio) - 2).mean().clamp(min=CHI2_MIN)


def advantages(config: Config, rollout: Rollout) -> Tensor:
    """Augmented reward of each response minus the mean of its prompt's others, in reward SDs.

    Args:
        config: coefficient c, reward SDs.
        rollout: rewards (B, N) and log-probabilities (B, N, T) of N >= 2 samples per prompt.

    Returns:
        Shape (B, N); every row sums to 0.

    Reference:
        Correlated Proxies: A New Definition and Improved Mitigation for Reward Hacking,
        https://arxiv.org/abs/2403.03185
    """
    log_ratio_BN = rollout.sampled.log_ratio
    price = config.coefficient * torch.rsqrt(chi_squared(log_ratio_BN))
    return leave_one_out(rollout.reward_BN - price * ratio(log_ratio_BN))


def loss(config: Config, step: RolloutStep) -> Tensor:
    """REINFORCE loss of each response: -A log pi(y|x), with log pi summed over tokens, in nats.

    Args:
        config: unused here; the penalty is inside the advantage.
        step: advantage (B, N), and the responses as the policy reads them now, (B, N, T).

    Returns:
        Shape (B, N).

    Reference:
        Back to Basics, section on RLOO, https://arxiv.org/abs/2402.14740
    """
    return reinforce(step.advantage, step.now.policy_logp, step.now.mask)
