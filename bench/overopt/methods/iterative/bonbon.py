"""BoNBoN: learn best-of-n from the best and the worst of n samples of the initial policy.

Paper: Gui et al. 2024, "BoNBoN Alignment for Large Language Models and the Sweetness of Best-of-n
Sampling" (https://arxiv.org/abs/2406.00832): for h = log pi - log pi_ref,
    L = -a log pi(y_best|x) + (1 - a) ( h(y_best) - h(y_worst) - 1/(2 beta_n) )^2
    1/(2 beta_n) = (n - 1) H_{n-1},   H_k = 1 + 1/2 + ... + 1/k
(equation numbers not verified). The target is the mean of the gap that best-of-n itself has, of a
continuous reward; the likelihood's optimum is best-of-n exactly. Checked against the authors'
README (n = 8: beta_n .0275482, a .005) and both facts. Their released code trains the sigmoid form
of DPO in place of the squared one, since its option is never passed on.
Deviations: pairs are drawn afresh, from groups of n of the initial policy's samples, of which each
prompt has as many as the task draws of the policy, or n where that is more; a rest is left out.
Log-probabilities are summed over tokens. Of equal rewards the first sample counts: where all of a
group are, it is both best and worst, and only the likelihood learns from it.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from overopt.methods.contract.iterative import RowPairs, SamplePairs
from overopt.methods.contract.samples import Rollout
from overopt.methods.contract.training import Training, given
from overopt.methods.math.responses import log_likelihood
from overopt.spec.declare import knob, param

FAMILY = "iterative"
KNOB = knob("n", low=2.0, high=64.0, raises_kl=True, whole=True)
USES_GOLD = "none"
INPUTS = ("reference_samples",)


@dataclass(frozen=True)
class Config:
    """Settings of BoNBoN."""

    n: int = param(4, help="draws of the best-of-n that is learned", unit="samples", at_least=2)
    likelihood_share: float = param(
        0.005, help="a, weight of the likelihood", at_least=0.0, at_most=1.0
    )


def training(config: Config) -> Training:
    """At least n samples of the initial policy for each prompt."""
    return Training(opponents=config.n)


def build(config: Config, rollout: Rollout) -> RowPairs:
    """Best and worst of each n samples of the initial policy, one sample where all are equal.

    Args:
        config: n.
        rollout: rewards of the initial policy's samples, (B, N).

    Returns:
        Rows of B (N // n) pairs.

    Reference:
        BoNBoN, https://arxiv.org/abs/2406.00832
    """
    reward_BN = given(rollout.opponents, "reference_samples").reward_BN
    samples = reward_BN.shape[1]
    used = samples // config.n * config.n
    reward_Pn = reward_BN[:, :used].reshape(-1, config.n)
    first_P = config.n * torch.arange(len(reward_Pn), device=reward_Pn.device)
    row_R = rollout.opponent_row_BM[:, :used].flatten()
    best_P, worst_P = first_P + reward_Pn.argmax(-1), first_P + reward_Pn.argmin(-1)
    return RowPairs(row_R[best_P], row_R[worst_P])


def loss(config: Config, batch: SamplePairs) -> Tensor:
    """Likelihood of the best and squared error of the margin of each pair, shape (B,).

    Args:
        config: n, likelihood_share a.
        batch: B pairs of per-token log-probabilities, nats, (B, T).

    Reference:
        BoNBoN, https://arxiv.org/abs/2406.00832
    """
    margin_B = batch.chosen.log_ratio - batch.rejected.log_ratio
    share = config.likelihood_share
    error_B = (margin_B - expected_gap(config.n)) ** 2
    return -share * log_likelihood(batch.chosen) + (1 - share) * error_B


def expected_gap(n: int) -> float:
    """Mean of log(pi_n / pi_ref) of the best of n samples less that of the worst, nats."""
    return (n - 1) * sum(1 / k for k in range(1, n))
