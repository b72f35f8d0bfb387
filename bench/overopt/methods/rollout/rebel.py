"""REBEL: the policy's log-ratios to the last iterate regress on reward differences.

Paper: Gao et al. 2024, "REBEL: Reinforcement Learning via Regressing Relative Rewards"
(https://arxiv.org/abs/2404.16767): for two samples of a prompt, drawn by pi_t,
    L = ( (D(y1) - D(y2))/eta - (r(y1) - r(y2)) )^2,   D = log(pi/pi_t)
An iteration solved exactly gives pi_{t+1} = pi_t exp(eta r)/Z, a step of mirror descent, whatever
the pairs are drawn by; several passes over a rollout go toward it. Nothing holds it to pi_ref.
Known from third-party code and the card of methods; the paper's equation number was not verified.
Deviations: N samples give all N(N-1)/2 pairs; an iteration is one rollout, of ``epochs`` passes,
where the paper's are of thousands of prompts; the loss is multiplied by eta/2, so that eta does not
set the first step's size too; the default of eta is ours.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from overopt.methods.contract.rollout import RolloutStep
from overopt.methods.contract.samples import Rollout
from overopt.methods.contract.training import Training
from overopt.methods.math.pairing import squared_gaps
from overopt.methods.math.surrogates import response_log_ratio
from overopt.spec.declare import knob, param

FAMILY = "rollout"
KNOB = knob("eta", low=0.01, high=100.0, raises_kl=True)
USES_GOLD = "none"


@dataclass(frozen=True)
class Config:
    """Settings of REBEL."""

    eta: float = param(1.0, help="how far an iteration goes", unit="nats/reward SD", above=0.0)
    epochs: int = param(4, help="passes over the samples of one rollout", at_least=1)


def training(config: Config) -> Training:
    """Inner epochs."""
    return Training(config.epochs)


def advantages(config: Config, rollout: Rollout) -> Tensor:
    """The rewards themselves, (B, N): the loss compares them."""
    return rollout.reward_BN


def loss(config: Config, step: RolloutStep) -> Tensor:
    """Squared error of each pair times eta/2, half for each of its responses, over N - 1, (B, N).

    Reference:
        REBEL, https://arxiv.org/abs/2404.16767
    """
    left_BN = step.advantage - response_log_ratio(step) / config.eta
    return squared_gaps(left_BN) * (config.eta / 2)
