"""Dr. DPO: a batch's DPO losses count the less, the larger they are.

Paper: Wu et al. 2024, "Towards Robust Alignment of Language Models: Distributionally Robustifying
Direct Preference Optimization" (https://arxiv.org/abs/2407.07880):
    L = -b' log mean over the batch of exp( -l / b' ),   l = -log sigmoid(beta (r_w - r_l))
r = log pi(y|x) - log pi_ref(y|x), summed over tokens. A pair's gradient is its own times its share
of exp(-l / b'): pairs that the policy orders wrongly, as flipped labels are, count for little. DPO
is b' -> inf. The size of a batch matters: its loss is not the mean of those of its parts.
Checked against the authors' released code (b' is 1 there; equation number not verified).
Deviations: none. Every pair is told the loss of the whole batch, whose mean is that loss; engines
that split a batch over passes or processes hand each of them all pairs, so that the gradient is
that of the whole batch as well.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from overopt.methods.contract.pairs import PairBatch
from overopt.spec.declare import knob, param

FAMILY = "pairs"
KNOB = knob("beta", low=0.001, high=10.0, raises_kl=False)
USES_GOLD = "none"
INPUTS = ("random_batches",)


@dataclass(frozen=True)
class Config:
    """Settings of Dr. DPO."""

    beta: float = param(
        0.1, help="strength of the pull toward the initial policy", unit="1/nats", above=0.0
    )
    trust: float = param(
        1.0, help="b', how much larger a loss may be and still count", unit="nats", above=0.0
    )


def loss(config: Config, batch: PairBatch) -> Tensor:
    """Dr. DPO loss of the batch, in nats, told to each of its pairs.

    Args:
        config: beta, per nat; trust b', nats.
        batch: B pairs of per-token log-probabilities, nats, shape (B, T).

    Returns:
        Shape (B,), all equal.

    Reference:
        Distributionally Robustifying Direct Preference Optimization,
        https://arxiv.org/abs/2407.07880
    """
    loss_B = -logsigmoid(config.beta * (batch.chosen.log_ratio - batch.rejected.log_ratio))
    summed = torch.logsumexp(-loss_B / config.trust, 0)
    robust = -config.trust * (summed - math.log(len(loss_B)))
    return robust.expand(len(loss_B))
