"""Constrained RL whose thresholds are searched for by gold, with Nelder-Mead, in one run.

Paper: Moskovitz et al. 2023, "Confronting Reward Model Overoptimization with Constrained RLHF"
(https://arxiv.org/abs/2310.04373), its NM-PPO: as ``constrained-xi``, but with a threshold theta_k
for each component, and a Nelder-Mead search over them for the most gold. An evaluation of a theta
goes on training from the current policy, for at most a tenth of the run (here 20 rollouts unless
set), and ends early when every component is within 5% of its threshold; its value is the gold that
the policy then has.
Checked against the authors' code: reflection 1, expansion 2, contraction and shrinkage .5,
tolerance .01, these two limits of an evaluation, multipliers of both signs. Evaluations are not
repeatable, as the policy has moved on.
Deviations: gold and the scores that are compared with thresholds are those of the samples of each
rollout, in SDs, where their code scores the TEST split every 5 rollouts; the simplex starts at one
theta and at those higher in one component, where the paper draws points; no values are cached; the
search departs from theirs in when it ends, contracts and expands (``math.nelder_mead``), and
training then goes on at its best theta; the rest is that of ``constrained-xi``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from overopt.methods.contract.rollout import RolloutStep
from overopt.methods.contract.samples import Rollout
from overopt.methods.contract.training import Weights, given
from overopt.methods.math import nelder_mead
from overopt.methods.math.constraints import (
    Multipliers,
    MultiplierStep,
    constrained_advantages,
    mean_scores,
    moved,
)
from overopt.methods.math.estimators import reinforce
from overopt.spec.declare import knob, param

FAMILY = "rollout"
KNOB = knob("theta", low=0.05, high=5.0, raises_kl=True)
USES_GOLD = "selection"
INPUTS = ("member_rewards",)


@dataclass(frozen=True)
class Config:
    """Settings of NM-PPO."""

    theta: float = param(0.5, help="threshold of every member's score at first", unit="reward SDs")
    spread: float = param(
        0.5, help="how much further the simplex reaches at first", unit="reward SDs", above=0.0
    )
    rollouts: int = param(20, help="longest evaluation of a threshold", at_least=1)
    near: float = param(0.05, help="relative distance that ends an evaluation", at_least=0.0)
    tolerance: float = param(
        0.01, help="difference of gold that ends the search", unit="gold SDs", at_least=0.0
    )
    kl_weight: float = param(
        0.2, help="weight of the KL reward, where advantages are not standardized", above=0.0
    )
    standardized: bool = param(True, help="give each advantage mean 0 and SD 1 over the batch")
    multiplier_rate: float = param(0.1, help="step size of the multipliers", at_least=0.0)
    momentum: float = param(0.1, help="of the multipliers' steps", at_least=0.0, at_most=1.0)
    clip: float = param(0.5, help="largest norm of the multipliers' gradient", above=0.0)


class Memory(NamedTuple):
    """Multipliers, the search (None before the first rollout), and the evaluation that is on.

    spent: rollouts of it, after training at its theta. gold: mean of the last rollout.
    """

    multipliers: Multipliers = Multipliers()
    search: nelder_mead.Search | None = None
    spent: int = 0
    gold: float = 0.0


def begin(config: Config, initial: Weights) -> Memory:
    """No multipliers and no search yet; the first rollout is the initial policy's."""
    return Memory(spent=-1)


def observe_gold(config: Config, memory: Memory, gold_BN: Tensor) -> Memory:
    """Keep the rollout's mean gold, gold SDs."""
    return memory._replace(gold=gold_BN.mean().item())


def observe(config: Config, memory: Memory, rollout: Rollout) -> Memory:
    """Move the multipliers by the batch's mean scores, and the search if its evaluation is over.

    Reference:
        Confronting Reward Model Overoptimization, https://arxiv.org/abs/2310.04373
    """
    mean_K, search = mean_scores(rollout), memory.search
    if search is None:
        search = nelder_mead.begin(torch.full_like(mean_K, config.theta), config.spread)
    spent = memory.spent + 1
    away_K = (mean_K - search.asked_K).abs()
    there = bool((away_K <= config.near * search.asked_K.abs()).all())
    if spent >= 1 and (there or spent >= config.rollouts):
        search, spent = nelder_mead.told(search, -memory.gold, config.tolerance), 0
    u_K = memory.multipliers.u
    multiplier_K = torch.tanh(torch.zeros_like(mean_K) if u_K is None else u_K)
    slope_K = (1 - multiplier_K.square()) * (mean_K - search.asked_K)
    by = MultiplierStep(config.multiplier_rate, config.momentum, config.clip)
    return Memory(moved(memory.multipliers, slope_K, by), search, spent, memory.gold)


def advantages(config: Config, rollout: Rollout) -> Tensor:
    """Advantages of the KL reward and of each component, weighted by the multipliers, (B, N)."""
    multiplier_K = torch.tanh(given(rollout.memory.multipliers.u, "a multiplier"))
    return constrained_advantages(rollout, multiplier_K, config.kl_weight, config.standardized)


def loss(config: Config, step: RolloutStep) -> Tensor:
    """REINFORCE loss of each response, (B, N): -A log pi(y|x), in nats."""
    return reinforce(step.advantage, step.now.policy_logp, step.now.mask)
