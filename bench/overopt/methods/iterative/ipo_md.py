"""IPO-MD: the IPO loss on pairs of samples of a mixture of the policy and the initial one.

Paper: Calandriello et al. 2024, "Human Alignment of Large Language Models through Online Preference
Optimisation" (https://arxiv.org/abs/2403.08635): for y and y' of the mixture pi^(1-m) pi_ref^m, w
the better and l the worse by a preference model,
    L = ( h_w - h_l - 1/(2 tau) )^2,   h = log( pi / pi_ref )
(equation number and the paper's m not verified; the default is nash-md's). Its rest solves
pi = pi_ref exp( P pi^m / tau )/Z, which is online IPO's at m = 0, and IPO on the initial policy's
own samples at m = 1. Checked against that equation on a cycle of preferences, and against TRL's
"ipo" per token.
Deviations: the mixture is of next tokens, not of whole responses. P is sigmoid(r - r') of the
proxy's scores, also of one that compares responses, as both are opponents here; both orders of a
pair are weighted by it by default. Samples are paired as they come. One step on each rollout.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from overopt.methods.contract.iterative import RowPairs, SamplePairs
from overopt.methods.contract.samples import Rollout
from overopt.methods.contract.training import given
from overopt.methods.math.neighbors import neighbors
from overopt.methods.math.squares import expected_square
from overopt.spec.declare import knob, param

FAMILY = "iterative"
KNOB = knob("tau", low=0.001, high=10.0, raises_kl=False)
USES_GOLD = "none"
INPUTS = ("mixture_samples",)


@dataclass(frozen=True)
class Config:
    """Settings of IPO-MD."""

    tau: float = param(0.1, help="KL penalty", unit="1/nats", above=0.0)
    initial_share: float = param(
        0.125, help="m, share of the initial policy in the mixture", at_least=0.0, at_most=1.0
    )
    soft_labels: bool = param(True, help="weight both orders of a pair by the preference")


def mixture(config: Config) -> float:
    """Share of the initial policy in the policy that draws both responses."""
    return config.initial_share


def build(config: Config, rollout: Rollout) -> RowPairs:
    """Neighboring samples of the mixture, with the chance that the first is the better one.

    Args:
        config: soft_labels.
        rollout: rewards of the mixture's samples, (B, N).

    Returns:
        Rows, shape (P,) each, P <= B (N // 2), and the chances.

    Reference:
        Human Alignment of Large Language Models through Online Preference Optimisation,
        https://arxiv.org/abs/2403.08635
    """
    first_P, second_P = neighbors(rollout.opponent_row_BM)
    better_P, worse_P = neighbors(given(rollout.opponents, "mixture_samples").reward_BN)
    margin_P = better_P - worse_P
    if config.soft_labels:
        return RowPairs(first_P, second_P, torch.sigmoid(margin_P))
    kept_P = margin_P != 0
    return RowPairs(first_P[kept_P], second_P[kept_P], (margin_P[kept_P] > 0).to(margin_P))


def loss(config: Config, batch: SamplePairs) -> Tensor:
    """Expected squared error of each pair's margin, in nats squared, shape (B,).

    Args:
        config: tau, per nat.
        batch: B pairs of per-token log-probabilities, nats, (B, T), with labels (B,).

    Reference:
        Human Alignment of Large Language Models through Online Preference Optimisation,
        https://arxiv.org/abs/2403.08635
    """
    return expected_square(batch, config.tau)
