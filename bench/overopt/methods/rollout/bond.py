"""BOND: distill best-of-n into the policy, by both directions of the KL to it.

Paper: Sessa et al. 2024, "BOND: Aligning LLMs with Best-of-N Distillation"
(https://arxiv.org/abs/2407.14622). Best-of-n is pi_n ~ pi_ref exp( (n-1) r_B ) with (its theorem 1)
    r_B(y) = log F(<=y) + 1/(n-1) log sum_{i=1..n} ( F(<y)/F(<=y) )^(i-1)
for F the distribution of the reward of initial-policy samples. The policy descends the Jeffreys
divergence (1-b) KL(pi_n || pi) + b KL(pi || pi_n): likelihood on best-of-n samples, and REINFORCE
on (n-1) r_B - log(pi/pi_ref) (eq. 15), whose minimum is pi_n whatever b where F is exact.
Deviations: F is that of M initial-policy samples of the prompt, n of them and no fewer than 16, the
paper's number, at least 1/(M+1), as log 0 has no value; instead of one best-of-n sample all M
count, by their probability to be the best of n that are drawn from them without replacement, which
is best-of-n in the mean whatever M; the baseline is leave-one-out. The second term of r_B, which
matters for ties only, is left out by default, as in the paper. Of a continuous reward without it,
pi_n is pi_ref F^(n-1)/Z.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from overopt.methods.contract.rollout import RolloutStep
from overopt.methods.contract.samples import Rollout
from overopt.methods.contract.training import Training, given
from overopt.methods.math.estimators import leave_one_out, reinforce
from overopt.spec.declare import knob, param

FAMILY = "rollout"
KNOB = knob("n", low=2.0, high=256.0, raises_kl=True, whole=True)
USES_GOLD = "none"
INPUTS = ("reference_samples", "opponents_now")

F_SAMPLES = 16
"""Samples of the initial policy that F is told by, at least."""


@dataclass(frozen=True)
class Config:
    """Settings of BOND."""

    n: int = param(32, help="draws of the best-of-n that is distilled", unit="samples", at_least=2)
    backward_share: float = param(
        0.5, help="b, weight of KL(pi || pi_n)", at_least=0.0, at_most=1.0
    )
    ties: bool = param(False, help="count equal rewards exactly, by the second term of r_B")


def training(config: Config) -> Training:
    """As many samples of the initial policy for each prompt as best-of-n and F need."""
    return Training(opponents=max(F_SAMPLES, config.n))


def advantages(config: Config, rollout: Rollout) -> Tensor:
    """(n-1) r_B - log(pi/pi_ref) of each response less the mean of its prompt's others, nats.

    Args:
        config: n, ties.
        rollout: rewards (B, N) of the policy's samples and of the initial policy's.

    Returns:
        Shape (B, N).

    Reference:
        BOND, theorem 1 and eq. 15, https://arxiv.org/abs/2407.14622
    """
    log_best_BN = log_best_of_n(rollout, config.n, config.ties)
    return leave_one_out(log_best_BN - rollout.sampled.log_ratio)


def loss(config: Config, step: RolloutStep) -> Tensor:
    """b REINFORCE on own samples + (1-b) likelihood of best-of-n ones, nats, (B, N).

    Args:
        config: n, backward_share b.
        step: advantage (B, N); own samples, (B, N, T), and initial-policy samples, (B, M, T), as
            the policy reads them now.

    Returns:
        Shape (B, N); all samples of a prompt share its likelihood.

    Reference:
        BOND, section on the Jeffreys divergence, https://arxiv.org/abs/2407.14622
    """
    backward_BN = reinforce(step.advantage, step.now.policy_logp, step.now.mask)
    others = given(step.opponents, "opponents_now")
    share_BM = best_of_n_share(given(step.rollout.opponents, "an opponent").reward_BN, config.n)
    nll_BM = -(others.policy_logp * others.mask).sum(-1)
    forward_B1 = (share_BM * nll_BM).sum(-1, keepdim=True)
    return config.backward_share * backward_BN + (1 - config.backward_share) * forward_B1


def log_best_of_n(rollout: Rollout, n: int, ties: bool) -> Tensor:
    """log(pi_n / pi_ref) of each response up to a constant of its prompt: (n-1) r_B, (B, N)."""
    other_B1N = given(rollout.opponents, "an opponent").reward_BN[:, None, :]
    samples = other_B1N.shape[-1]
    own_BN1 = rollout.reward_BN[:, :, None]
    up_to_BN = (other_B1N <= own_BN1).to(own_BN1).mean(-1).clamp(min=1 / (samples + 1))
    log_best_BN = (n - 1) * up_to_BN.log()
    if ties:
        below_BN = (other_B1N < own_BN1).to(own_BN1).mean(-1)
        power_n = torch.arange(n, device=own_BN1.device)
        log_best_BN = log_best_BN + ((below_BN / up_to_BN)[..., None] ** power_n).sum(-1).log()
    return log_best_BN


def best_of_n_share(reward_BM: Tensor, n: int) -> Tensor:
    """Probability of each sample to be the best of n drawn without replacement, (B, M); n <= M.

    ( C(M F(<=y), n) - C(M F(<y), n) ) / C(M, n), shared equally among samples of the same reward:
    of i.i.d. samples, the mean over draws of M is best-of-n.
    """
    mine_BM1, other_B1M = reward_BM[:, :, None], reward_BM[:, None, :]
    up_to_BM, below_BM, equal_BM = (
        found.to(reward_BM).sum(-1)
        for found in (other_B1M <= mine_BM1, other_B1M < mine_BM1, other_B1M == mine_BM1)
    )

    def log_ways(of: Tensor) -> Tensor:
        ways = torch.lgamma(of + 1) - torch.lgamma((of - n + 1).clamp(min=1))
        return ways.where(of >= n, -torch.inf)

    whole = log_ways(torch.full_like(up_to_BM, reward_BM.shape[1]))
    chance_BM = (log_ways(up_to_BM) - whole).exp() - (log_ways(below_BM) - whole).exp()
    return chance_BM / equal_BM
