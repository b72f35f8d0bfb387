"""Tsallis-regularized RL: reward less the q-logarithm's divergence to the initial policy.

Paper: Zhu et al. 2023, "Generalized Munchausen Reinforcement Learning using Tsallis KL Divergence"
(https://arxiv.org/abs/2301.11476). An analogue: the paper iterates Q functions; what is taken from
it is the regularizer, here in the policy gradient of a whole response,
    E[r] - beta D_q,  D_q = -E_pi ln_q(pi_ref/pi) = E_pi[ (rho^(q-1) - 1)/(q-1) ],  rho = pi/pi_ref
    R' = r - beta (q rho^(q-1) - 1)/(q-1)          whose policy gradient is that of the objective
ln_q x = (x^(1-q) - 1)/(1-q), as in later code of the same authors. q -> 1 is KL, q = 2 is chi^2
(without ``chi2-rl``'s square root). The optimum, derived here, is, with l set by the sum,
    pi = pi_ref [ (1 + (q-1)(r - l)/beta)/q ]_+^(1/(q-1))
so that for q > 1 the worst responses lose all probability. Equation numbers were not verified.
Deviations: it is an analogue; beyond a log-ratio of 10 nats, where rho^(q-1) would overflow, the
price goes on as its tangent in the log-ratio, which is exact at q = 1; the step is REINFORCE with a
leave-one-out baseline.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from overopt.methods.contract.rollout import RolloutStep
from overopt.methods.contract.samples import Rollout
from overopt.methods.math.estimators import leave_one_out, reinforce
from overopt.spec.declare import knob, param

FAMILY = "rollout"
KNOB = knob("beta", low=0.003, high=10.0, raises_kl=False)
USES_GOLD = "none"

LOG_RATIO_MAX = 10.0


@dataclass(frozen=True)
class Config:
    """Settings of Tsallis-regularized RL."""

    beta: float = param(0.1, help="weight of the divergence", unit="reward SDs", at_least=0.0)
    q: float = param(1.5, help="order of the divergence; 1 is KL", at_least=1.0, at_most=4.0)


def slope(log_ratio: Tensor, q: float) -> Tensor:
    """(q rho^(q-1) - 1)/(q-1), or log rho + 1 at q = 1; linear beyond 10 nats; same shape."""
    held = log_ratio.clamp(max=LOG_RATIO_MAX)
    power = ((q - 1) * held).exp()
    price = held + 1 if q == 1 else (q * power - 1) / (q - 1)
    # d price / d log rho = q rho^(q-1): a price that were flat would leave such responses unpulled
    return price + q * power * (log_ratio - held)


def advantages(config: Config, rollout: Rollout) -> Tensor:
    """Augmented reward of each response minus the mean of its prompt's others, reward SDs, (B, N).

    Args:
        config: beta, q.
        rollout: rewards (B, N) and log-probabilities (B, N, T).

    Reference:
        Generalized Munchausen RL using Tsallis KL Divergence, https://arxiv.org/abs/2301.11476
    """
    price_BN = config.beta * slope(rollout.sampled.log_ratio, config.q)
    return leave_one_out(rollout.reward_BN - price_BN)


def loss(config: Config, step: RolloutStep) -> Tensor:
    """REINFORCE loss of each response, (B, N): -A log pi(y|x), in nats."""
    return reinforce(step.advantage, step.now.policy_logp, step.now.mask)
