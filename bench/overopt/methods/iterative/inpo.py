"""INPO: iterative Nash policy optimization, a squared loss anchored at two policies.

Paper: Zhang et al. 2024, "Iterative Nash Policy Optimization: Aligning LLMs with General
Preferences via No-Regret Learning" (https://arxiv.org/abs/2407.00617): in each round, on pairs of
fresh samples,
    L = ( h_w - h_l - 1/(2 eta) )^2
    h(y) = log pi(y) - (tau/eta) log pi_ref(y) - (1 - tau/eta) log pi_t(y)
with pi_t the policy at the round's start (equation number not verified). The exact round is
    pi_{t+1} ~ pi_ref^{tau/eta} pi_t^{1 - tau/eta} exp( P(y beats pi_t)/eta )
and its fixed point pi_ref exp( P(y beats pi)/tau )/Z, the Nash policy under a KL penalty tau.
Checked against three independent third-party codes, which agree; the authors' own was not found.
Deviations: the preference is the proxy's: the response of the higher reward wins, or with
``soft_labels`` wins with sigmoid of the reward difference; a round is one rollout. At the default
tau a pair's target is 67 nats, which the four steps of a round never meet: there the loss is that
of the margin itself, and tau moves KL from about .03 on, where the target is below 6 nats.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from overopt.methods.contract.iterative import RowPairs, SamplePairs
from overopt.methods.contract.reading import Reading
from overopt.methods.contract.samples import Rollout
from overopt.methods.contract.training import Training, given
from overopt.methods.math.pairing import best_and_worst
from overopt.spec.declare import knob, param

FAMILY = "iterative"
KNOB = knob("tau", low=0.0025, high=1.0, raises_kl=False)
USES_GOLD = "none"
INPUTS = ("sampled_logp",)


@dataclass(frozen=True)
class Config:
    """Settings of INPO."""

    tau: float = param(0.0025, help="KL penalty toward the initial policy", above=0.0)
    eta_over_tau: float = param(
        3.0, help="eta / tau; a larger one makes a round's step smaller", at_least=1.0
    )
    soft_labels: bool = param(False, help="weight both orders by sigmoid of the reward difference")
    epochs: int = param(2, help="passes over a round's pairs", at_least=1)
    minibatches: int = param(2, help="gradient steps in each pass", at_least=1)


def training(config: Config) -> Training:
    """Inner epochs and minibatches of a round."""
    return Training(config.epochs, config.minibatches)


def build(config: Config, rollout: Rollout) -> RowPairs:
    """The samples of the highest and the lowest reward of each prompt; none where all are equal.

    Args:
        config: soft_labels.
        rollout: rewards (B, N).

    Returns:
        Rows b N + n, shape (P,), P <= B, and the probability that the first one wins.

    Reference:
        Iterative Nash Policy Optimization, https://arxiv.org/abs/2407.00617
    """
    pairs = best_and_worst(rollout.reward_BN)
    reward_R = rollout.reward_BN.flatten()
    wins_P = torch.ones_like(reward_R[pairs.chosen_P])
    if config.soft_labels:
        wins_P = torch.sigmoid(reward_R[pairs.chosen_P] - reward_R[pairs.rejected_P])
    return pairs._replace(label_P=wins_P)


def loss(config: Config, batch: SamplePairs) -> Tensor:
    """Expected squared error of each pair, in nats squared: p (m - c)^2 + (1 - p) (m + c)^2.

    Args:
        config: tau and eta, in which c = 1 / (2 eta).
        batch: B pairs of per-token log-probabilities, nats, (B, T), with labels p (B,).

    Returns:
        Shape (B,); m is the difference of the two h.

    Reference:
        Iterative Nash Policy Optimization, https://arxiv.org/abs/2407.00617
    """
    margin_B = _anchored(config, batch.chosen) - _anchored(config, batch.rejected)
    target = 0.5 / (config.tau * config.eta_over_tau)
    wins_B = given(batch.chosen.label, "a label")
    return wins_B * (margin_B - target) ** 2 + (1 - wins_B) * (margin_B + target) ** 2


def _anchored(config: Config, side: Reading) -> Tensor:
    """h of each response, nats, (B,)."""
    share = 1.0 / config.eta_over_tau
    return share * side.log_ratio + (1 - share) * side.sampled_log_ratio
