"""Kimi's mirror descent: each log-ratio to the last iterate regresses on reward less the mean.

Paper: Kimi Team 2025, "Kimi k1.5: Scaling Reinforcement Learning with LLMs"
(https://arxiv.org/abs/2501.12599): with pi_t the policy that drew the samples,
    L_i = ( r_i - tau log Z - tau log(pi/pi_t)(y_i) )^2,   tau log Z replaced by the mean reward
Over 2 tau, its gradient is -(r_i - mean r) grad log pi + tau/2 grad (log pi/pi_t)^2, as printed
there. The exact tau log Z would make an iteration pi_t exp(r/tau)/Z; with the mean the optimum
solves r - mean r = tau log rho + c rho, rho = pi/pi_t, as between KL and chi^2 (2602.05933), and
is closer to pi_t. Nothing holds it to pi_ref.
Known from notes and verl's estimators; the paper's equation numbers were not verified.
Deviations: the loss is over 2 tau; an iteration is one rollout, of ``epochs`` passes; no length
penalty, no curriculum; the default of tau is ours.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from overopt.methods.contract.rollout import RolloutStep
from overopt.methods.contract.samples import Rollout
from overopt.methods.contract.training import Training
from overopt.methods.math.surrogates import response_log_ratio
from overopt.spec.declare import knob, param

FAMILY = "rollout"
KNOB = knob("tau", low=0.01, high=100.0, raises_kl=False)
USES_GOLD = "none"


@dataclass(frozen=True)
class Config:
    """Settings of Kimi's mirror descent."""

    tau: float = param(1.0, help="price of an iteration's way", unit="reward SDs/nat", above=0.0)
    epochs: int = param(4, help="passes over the samples of one rollout", at_least=1)


def training(config: Config) -> Training:
    """Inner epochs."""
    return Training(config.epochs)


def advantages(config: Config, rollout: Rollout) -> Tensor:
    """Rewards less their group's mean, (B, N)."""
    return rollout.reward_BN - rollout.reward_BN.mean(-1, keepdim=True)


def loss(config: Config, step: RolloutStep) -> Tensor:
    """(A - tau log(pi/pi_t))^2 / (2 tau) of each response, (B, N).

    Reference:
        Kimi k1.5, section on policy optimization, https://arxiv.org/abs/2501.12599
    """
    left_BN = step.advantage - config.tau * response_log_ratio(step)
    return left_BN.square() / (2 * config.tau)
