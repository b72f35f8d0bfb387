"""DPO-Positive: DPO whose margin is worth less while chosen responses fall.

Paper: Pal et al. 2024, "Smaug: Fixing Failure Modes of Preference Optimisation with DPO-Positive"
(https://arxiv.org/abs/2402.13228):
    L = -log sigmoid( beta (r_w - r_l - lambda max(0, -r_w)) ),  r = log pi(y|x) - log pi_ref(y|x)
summed over tokens. A chosen response below pi_ref costs lambda + 1 times what a rejected one below
it gains; above pi_ref, and with lambda = 0, it is DPO. lambda is 50 in the paper.
Checked against the formula in public trainers by others; the authors published no trainer, and the
equation's number was not verified.
Deviations: beta is 0.1 by default, as for dpo, so that the penalty is what differs; and the penalty
is the knob, since under a large one KL no longer falls as beta rises.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from overopt.methods.contract.pairs import PairBatch
from overopt.spec.declare import knob, param

FAMILY = "pairs"
KNOB = knob("penalty", low=0.05, high=500.0, raises_kl=False)
USES_GOLD = "none"


@dataclass(frozen=True)
class Config:
    """Settings of DPO-Positive."""

    beta: float = param(
        0.1, help="strength of the pull toward the initial policy", unit="1/nats", above=0.0
    )
    penalty: float = param(50.0, help="lambda, on the fall of chosen responses", at_least=0.0)


def loss(config: Config, batch: PairBatch) -> Tensor:
    """DPO-Positive loss of each pair, in nats.

    Args:
        config: beta, per nat; penalty lambda.
        batch: B pairs of per-token log-probabilities, nats, shape (B, T).

    Returns:
        Shape (B,).

    Reference:
        Smaug, https://arxiv.org/abs/2402.13228
    """
    chosen_B, rejected_B = batch.chosen.log_ratio, batch.rejected.log_ratio
    fallen_B = torch.relu(-chosen_B)
    return -logsigmoid(config.beta * (chosen_B - rejected_B - config.penalty * fallen_B))
