"""beta-DPO: DPO whose strength follows the margins of a batch, without the pairs that stand out.

Paper: Wu et al. 2024, "beta-DPO: Direct Preference Optimization with Dynamic beta"
(https://arxiv.org/abs/2407.08639): with M = r_w - r_l, r = log pi/pi_ref, and running moments
    m <- .9 m + .1 mean(M),   d <- .9 d + .1 SD(M)      (from 0, of each batch before its loss)
a share of the batch is kept, drawn without replacement with chances like exp( -(M - m)^2 / 2 d^2 ),
and L = -log sigmoid( beta_b M ) of those kept, beta_b = beta (1 + a (mean of their M - m)), without
gradient and at least .001 (equation numbers not verified). A batch of larger margins than usual is
held back more. Checked against the authors' code, in which the moments start at 0; a .6 and a share
of .8 are the example that comes with it.
Deviations: a method has no random numbers of its own, so that those pairs are kept that are most
likely to be: the nearest to m. The mean over kept pairs is one over all, the others at 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from overopt.methods.contract.pairs import PairBatch
from overopt.methods.contract.training import Weights
from overopt.spec.declare import knob, param

FAMILY = "pairs"
KNOB = knob("beta", low=0.001, high=10.0, raises_kl=False)
USES_GOLD = "none"

BETA_MIN = 0.001
"""Least beta of a batch, 1/nats."""


@dataclass(frozen=True)
class Config:
    """Settings of beta-DPO."""

    beta: float = param(
        0.1, help="strength of the pull toward the initial policy", unit="1/nats", above=0.0
    )
    gain: float = param(0.6, help="a, change of beta by a margin", unit="1/nats", at_least=0.0)
    keep: float = param(0.8, help="share of a batch that is learned", above=0.0, at_most=1.0)
    momentum: float = param(0.9, help="of the running mean of margins", at_least=0.0, at_most=1.0)


class Memory(NamedTuple):
    """m, the running mean of margins, nats. Keeping the nearest to it takes no SD."""

    mean: float = 0.0


def begin(config: Config, initial: Weights) -> Memory:
    """No pairs yet."""
    return Memory()


def observe_pairs(config: Config, memory: Memory, batch: PairBatch) -> Memory:
    """Move m toward the batch's mean margin.

    Reference:
        beta-DPO, https://arxiv.org/abs/2407.08639
    """
    here = _margins(batch).mean().item()
    return Memory(config.momentum * memory.mean + (1 - config.momentum) * here)


def loss(config: Config, batch: PairBatch) -> Tensor:
    """beta-DPO loss of each pair, in nats; 0 of those that are not kept.

    Args:
        config: beta, per nat; a, per nat; share kept.
        batch: B pairs of per-token log-probabilities, nats, (B, T), and m.

    Returns:
        Shape (B,).

    Reference:
        beta-DPO, https://arxiv.org/abs/2407.08639
    """
    margin_B, mean = _margins(batch), batch.memory.mean
    fixed_B = margin_B.detach()
    count = max(1, int(config.keep * len(fixed_B)))
    nearest_K = (fixed_B - mean).abs().argsort(stable=True)[:count]
    kept_B = torch.zeros_like(fixed_B).index_fill(0, nearest_K, len(fixed_B) / count)
    gap = fixed_B[nearest_K].mean() - mean
    beta = (config.beta * (1 + config.gain * gap)).clamp(min=BETA_MIN)
    return -kept_B * logsigmoid(beta * margin_B)


def _margins(batch: PairBatch) -> Tensor:
    return batch.chosen.log_ratio - batch.rejected.log_ratio
