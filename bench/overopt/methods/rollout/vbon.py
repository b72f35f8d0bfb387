"""vBoN: policy gradient on the log of best-of-n, under a KL penalty that makes it the optimum.

Paper: Amini et al. 2024, "Variational Best-of-N Alignment" (https://arxiv.org/abs/2407.06057): the
policy descends KL(pi || pi_n). Of a continuous reward pi_n is pi_ref F^(n-1)/Z, for F(y) the chance
that a sample of the initial policy has less reward, so that it ascends
    E[ (n - 1) log F(y) - log( pi(y|x)/pi_ref(y|x) ) ]
(equation numbers not verified). With ``exact``, log( ( (F + p)^n - F^n ) / p ), p = pi_ref(y|x),
takes the place of the first term, which is the same but where responses are few. Checked against
the authors' code: F counts lower rewards among samples of the initial policy and adds one, and the
closed form is that of its sum over i = 1..n. Only ranks of the reward matter.
Deviations: rewards and penalty are n times those of the code, where the penalty is beta and n is
int(1/beta) + 1; here n gives both, without the one. F is of as many samples as the task draws, anew
in each step (about 300 there). REINFORCE with a leave-one-out baseline stands for PPO.
"""

from __future__ import annotations

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
    log_below_BN = torch.log((1 + below_BN) / (1 + others_B1N.shape[-1]))
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


def log_best_of_n(log_below: Tensor, log_reference: Tensor, n: int) -> Tensor:
    """log( ( (F + p)^n - F^n ) / p ) from log F, of less reward, and log p, of the response."""
    log_up_to = torch.logaddexp(log_below, log_reference)
    missing = -torch.expm1(n * (log_below - log_up_to))
    return n * log_up_to + missing.log() - log_reference
