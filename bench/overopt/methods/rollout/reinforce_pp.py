"""REINFORCE++: PPO without a critic, its token returns whitened over the whole batch.

Paper: Hu et al. 2025, "REINFORCE++: Stabilizing Critic-Free Policy Optimization"
(https://arxiv.org/abs/2501.03262):
    G_t = r - beta sum_{s >= t} log(pi/pi_ref)(y_s),   A_t = (G_t - mean G)/SD G
    L = mean over all tokens of max(-A_t w_t, -A_t clip(w_t, 1 - e, 1 + e))
With ``baseline``, the paper's variant, r is less its group's mean first. Where the policy is
pi_ref exp(r/beta)/Z, G_t depends on the prompt and on the prefix before token t only, so that its
mean gradient is 0 and it rests; for one prompt and responses of one token all G are alike.
Checked against descriptions of OpenRLHF's and verl's estimators; no shipped loss of TRL has it.
Deviations: beta is 0 by default, so that a run walks through KL and is read along its steps; a
rollout is cut into 4 minibatches.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from overopt.methods.contract.rollout import RolloutStep
from overopt.methods.contract.samples import Rollout
from overopt.methods.contract.training import Training
from overopt.methods.math.estimators import standardize
from overopt.methods.math.step_returns import returns_to_go
from overopt.methods.math.surrogates import batch_token_mean, clipped_surrogate, token_log_ratio
from overopt.spec.declare import knob, param

FAMILY = "rollout"
KNOB = knob("beta", low=0.003, high=10.0, raises_kl=False)
USES_GOLD = "none"


@dataclass(frozen=True)
class Config:
    """Settings of REINFORCE++."""

    beta: float = param(
        0.0, help="per-token KL penalty inside the reward", unit="reward SDs/nat", at_least=0.0
    )
    baseline: bool = param(False, help="subtract each group's mean reward first")
    clip: float = param(0.2, help="largest change of a token's probability ratio", above=0.0)
    minibatches: int = param(4, help="gradient steps on a rollout", at_least=1)


def training(config: Config) -> Training:
    """Minibatches of a rollout."""
    return Training(minibatches=config.minibatches)


def advantages(config: Config, rollout: Rollout) -> Tensor:
    """Penalized return of each token, with mean 0 and SD 1 over the rollout's tokens, (B, N, T)."""
    reward_BN, sampled = rollout.reward_BN, rollout.sampled
    if config.baseline:
        reward_BN = reward_BN - reward_BN.mean(-1, keepdim=True)
    log_ratio_BNT = (sampled.policy_logp - sampled.reference_logp) * sampled.mask
    return_BNT = reward_BN.unsqueeze(-1) - config.beta * returns_to_go(log_ratio_BNT)
    return standardize(return_BNT, sampled.mask)


def loss(config: Config, step: RolloutStep) -> Tensor:
    """Clipped policy loss of each response, (B, N); its mean is over tokens.

    Reference:
        REINFORCE++, https://arxiv.org/abs/2501.03262
    """
    policy_BNT = clipped_surrogate(
        token_log_ratio(step), step.advantage_BNT, config.clip, config.clip
    )
    return batch_token_mean(policy_BNT, step.now.mask)
