"""vBoN: policy gradient on the log of best-of-n, under a KL penalty that makes it the optimum.

Paper: Amini et al. 2024, "Variational Best-of-N Alignment" (https://arxiv.org/abs/2407.06057): the
policy descends KL(pi || pi_n). Of a continuous reward pi_n is pi_ref F^(n-1)/Z, for F(y) the chance
that a sample of the initial policy has less reward, so that it ascends
    E[ (n - 1) log F(y) - log( pi(y|x)/pi_ref(y|x) ) ]
(equation numbers not verified). With ``exact``, log( ( (F + p)^n - F^n ) / p ), p = pi_ref(y|x),
takes the place of the first term, which is the same but where responses are few. Checked against
the authors' code: lower rewards are counted among samples of the initial policy, and the closed
form is that of its sum over i = 1..n. Only ranks of the reward matter.
Deviations: of k lower rewards among M samples, log F is H_k - H_M, H_j = 1 + 1/2 + ... + 1/j, where
the code takes log( (1 + k)/(1 + M) ). Its mean is the series of log F cut after M terms, - sum
(1 - F)^j / j, too high where F is of the order of 1/M or less; adding one makes log F too high
everywhere. M is what the task draws, anew in each step, about 300 in the code. At M = 8 and n = 2,
4, 8 the policy at rest has KL .165, .629, 1.204, best-of-n .193, .636, 1.204, adding one .128,
.563, 1.142. Rewards and penalty are n times those of the code, whose n is int(1/beta) + 1 of its
penalty beta; here n gives both, without the one. REINFORCE with a leave-one-out baseline for PPO.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from overopt.methods.contract.rollout import RolloutStep
from overopt.methods.contract.samples import Rollout
from overopt.methods.contract.training import given
from overopt.methods.math.estimators import leave_one_out, reinforce
from overopt.spec.declare import knob, param

FAMILY = "rollout"
KNOB = knob("n", low=2.0, high=256.0, raises_kl=True, whole=True)
USES_GOLD = "none"
INPUTS = ("reference_samples",)

# log p/F below which p/F counts to first order only, 4e-5 nats off at n = 256
RARE = -15.0


@dataclass(frozen=True)
class Config:
    """Settings of vBoN."""

    n: int = param(32, help="draws of the best-of-n that is learned", unit="samples", at_least=2)
    exact: bool = param(False, help="count that a response may be drawn twice")


def advantages(config: Config, rollout: Rollout) -> Tensor:
    """log(pi_n / pi_ref) - log(pi / pi_ref) less the mean of a prompt's others, nats, (B, N).

    Args:
        config: n, exact.
        rollout: rewards (B, N) of the policy's samples and of the initial policy's.

    Reference:
        Variational Best-of-N Alignment, https://arxiv.org/abs/2407.06057
    """
    others_B1N = given(rollout.opponents, "an opponent").reward_BN[:, None, :]
    below_BN = (others_B1N < rollout.reward_BN[:, :, None]).to(rollout.reward_BN).sum(-1)
    log_below_BN = log_chance_below(below_BN, others_B1N.shape[-1])
    sampled = rollout.sampled
    if config.exact:
        reference_BN = (sampled.reference_logp * sampled.mask).sum(-1)
        log_best_BN = log_best_of_n(log_below_BN, reference_BN, config.n)
    else:
        log_best_BN = (config.n - 1) * log_below_BN
    return leave_one_out(log_best_BN - sampled.log_ratio)


def loss(config: Config, step: RolloutStep) -> Tensor:
    """REINFORCE loss of each response, (B, N): -A log pi(y|x), in nats.

    Args:
        config: unused here; the penalty is inside the advantage.
        step: advantage (B, N), and the responses as the policy reads them now, (B, N, T).

    Reference:
        Variational Best-of-N Alignment, https://arxiv.org/abs/2407.06057
    """
    return reinforce(step.advantage, step.now.policy_logp, step.now.mask)


def log_chance_below(below: Tensor, samples: int) -> Tensor:
    """Estimate of log F from how many of M samples lie below, H_below - H_M, <= 0; same shape.

    Its mean over binomial counts is - sum_{j=1..M} (1 - F)^j / j.
    """
    return torch.digamma(1 + below) - torch.digamma(torch.full_like(below, 1 + samples))


def log_best_of_n(log_below: Tensor, log_reference: Tensor, n: int) -> Tensor:
    """log( ( (F + p)^n - F^n ) / p ) from log F, of less reward, and log p, of the response."""
    log_up_to = torch.logaddexp(log_below, log_reference)
    log_share = log_reference - log_below
    missing = -torch.expm1(-n * torch.nn.functional.softplus(log_share))
    # 1 - (F/(F + p))^n is n p/F of a rare response, also where it would underflow
    log_missing = torch.where(log_share < RARE, math.log(n) + log_share, missing.log())
    return n * log_up_to + log_missing - log_reference
