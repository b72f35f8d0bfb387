"""ReST: grow a set of samples, then improve on those above one threshold after another.

Paper: Gulcehre et al. 2023, "Reinforced Self-Training (ReST) for Language Modeling"
(https://arxiv.org/abs/2308.08998): a Grow step draws samples of the current policy, and each of
several Improve steps fine-tunes on those whose reward passes a threshold, which rises:
    L_i = -1[ R(y) > tau_i ] log pi(y|x),   tau_1 < ... < tau_I
(equation number not verified; of the paper's losses the one of behavior cloning, its best).
With one threshold at the quantile q, infinite samples and a full fit, a round leads to the policy
restricted to rewards above q, at KL -log(1 - q). The paper was known by notes only, its code is not
public; what was checked is this optimum and numbers by hand.
Deviations: thresholds are quantiles q i / I of a round's rewards. A sample is learned once for each
that it passes, so that the thresholds count as in the paper, but in random order, not rising; the
learning rate does not fall. The data set with which the paper mixes its samples is left out. A
round goes on from the last; with ``restart`` each starts at the initial policy, as in ReST-EM
(Singh et al. 2023, https://arxiv.org/abs/2312.06585) and STaR; the optimizer's moments go on. Below
a quantile of about 1/4 nearly all is learned, and what moves the policy is sampling noise.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from overopt.methods.contract.iterative import KeptRows
from overopt.methods.contract.reading import Reading
from overopt.methods.contract.samples import Rollout
from overopt.methods.contract.training import AfterStep, Training, Weights
from overopt.methods.math.responses import log_likelihood
from overopt.spec.declare import knob, param

FAMILY = "iterative"
KNOB = knob("quantile", low=0.25, high=0.98, raises_kl=True)
USES_GOLD = "none"


@dataclass(frozen=True)
class Config:
    """Settings of ReST."""

    quantile: float = param(0.9, help="q, quantile at the last threshold", above=0.0, at_most=0.99)
    thresholds: int = param(3, help="I, Improve steps on the samples of a Grow step", at_least=1)
    minibatches: int = param(3, help="gradient steps on a round's samples", at_least=1)
    restart: bool = param(False, help="start every round's steps at the initial policy")


def training(config: Config) -> Training:
    """Every sample has its place once for each threshold, in one pass."""
    return Training(1, config.minibatches)


def begin(config: Config, initial: Weights) -> Weights:
    """Where rounds may start again."""
    return initial


def before_steps(config: Config, memory: Weights, weights: Weights, number: int) -> AfterStep:
    """Put the policy back to the initial one once its samples are drawn, if asked for."""
    return AfterStep(memory, weights=memory if config.restart else None)


def build(config: Config, rollout: Rollout) -> KeptRows:
    """Samples at or above each threshold, as often as they are.

    Args:
        config: quantile, thresholds.
        rollout: rewards (B, N).

    Returns:
        Rows b N + n, those of the first threshold first; the best sample passes every one.

    Reference:
        Reinforced Self-Training, https://arxiv.org/abs/2308.08998
    """
    reward_R = rollout.reward_BN.flatten()
    sorted_R = reward_R.sort().values
    passing = []
    for number in range(1, config.thresholds + 1):
        left_out = int(config.quantile * number / config.thresholds * len(reward_R))
        passing.append(torch.where(reward_R >= sorted_R[left_out])[0])
    return KeptRows(torch.cat(passing))


def loss(config: Config, batch: Reading) -> Tensor:
    """Negative log-likelihood of each kept response, nats, shape (B,).

    Reference:
        Reinforced Self-Training, https://arxiv.org/abs/2308.08998
    """
    return -log_likelihood(batch)
