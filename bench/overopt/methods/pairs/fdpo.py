"""f-DPO: DPO of an objective whose penalty is another f-divergence than KL(pi || pi_ref).

Paper: Wang et al. 2023, "Beyond Reverse KL: Generalizing Direct Preference Optimization with
Diverse Divergence Constraints" (https://arxiv.org/abs/2309.16240):
    L = -log sigmoid( beta ( f'(u_w) - f'(u_l) ) ),   u = pi(y|x)/pi_ref(y|x) of the whole response
    max E[r] - beta E_ref[f(u)]  has its optimum where beta f'(u) = r - Z for all y
    forward-kl: f'(u) = -1/u        js: log(2u / (1+u))        alpha: (1 - u^-a) / a
up to a constant, which cancels. alpha has a in (0, 1): a -> 0 is dpo, a = 1 forward-kl. The paper
asks that f'(0) is not finite, so that no probability becomes 0, as holds of these.
Checked against TRL's f_divergence_type, whose coefficient is 1 - a; equation numbers not verified.
Deviations: a log(1/u) is clipped at 40 before exp (a = 1 for forward-kl), so that a float32 holds
the square of its gradient. There f' is flat, and responses that have fallen further have no
gradient. TRL clips alpha's so, and the others not.
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


@dataclass(frozen=True)
class Config:
    """Settings of f-DPO."""

    beta: float = param(0.1, help="strength of the penalty", unit="1/nats", above=0.0)
    divergence: str = param("js", help="which f-divergence", one_of=("js", "forward-kl", "alpha"))
    alpha: float = param(0.5, help="a, of the divergence alpha", above=0.0, at_most=1.0)


def loss(config: Config, batch: PairBatch) -> Tensor:
    """f-DPO loss of each pair, in nats.

    Args:
        config: beta; divergence; alpha.
        batch: B pairs of per-token log-probabilities, nats, shape (B, T).

    Returns:
        Shape (B,).

    Reference:
        Beyond Reverse KL, https://arxiv.org/abs/2309.16240
    """
    linked_B = _link(config, batch.chosen.log_ratio) - _link(config, batch.rejected.log_ratio)
    return -logsigmoid(config.beta * linked_B)


def _link(config: Config, log_ratio_B: Tensor) -> Tensor:
    """f' at the ratio of each response."""
    if config.divergence == "js":
        return math.log(2) + logsigmoid(log_ratio_B)
    power = config.alpha if config.divergence == "alpha" else 1.0
    return -torch.expm1((-power * log_ratio_B).clamp(max=40.0)) / power
