"""Flex-DPO, an analogue: chosen and rejected responses have a beta each.

Paper: Yan et al. 2024, "3D-Properties: Identifying Challenges in DPO and Charting a Path Forward"
(https://arxiv.org/abs/2406.07327). Analogue of its remedy, equation not public: what was read is a
description, of two betas and an optional term of SFT, and this is made of it:
    L = -log sigmoid( beta r_w - beta c r_l ) - a log pi(w|x)
with r = log pi(y|x) - log pi_ref(y|x); all log-probabilities are summed over tokens. The paper's
beta+ is beta, its beta- is beta c. A smaller c slows down the fall of rejected responses. With c 1
and a 0 it is DPO; otherwise no Bradley-Terry reward stands behind the logit, and no optimum is
known in closed form.
The description reports beta- on a fixed grid, best near .08; its beta+ and weight a were not seen.
Deviations: whatever the paper does beyond that; both betas move together along the knob.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import logsigmoid

from overopt.methods.contract.pairs import PairBatch
from overopt.methods.math.responses import log_likelihood
from overopt.spec.declare import knob, param

FAMILY = "pairs"
KNOB = knob("beta", low=0.001, high=10.0, raises_kl=False)
USES_GOLD = "none"


@dataclass(frozen=True)
class Config:
    """Settings of the analogue of Flex-DPO."""

    beta: float = param(0.1, help="beta+, of chosen responses", unit="1/nats", above=0.0)
    rejected: float = param(0.8, help="c, beta- of rejected responses over beta+", at_least=0.0)
    likelihood: float = param(0.0, help="a, weight of the chosen ones' likelihood", at_least=0.0)


def loss(config: Config, batch: PairBatch) -> Tensor:
    """Loss of each pair, in nats.

    Args:
        config: beta, per nat; rejected c; likelihood a.
        batch: B pairs of per-token log-probabilities, nats, shape (B, T).

    Returns:
        Shape (B,).

    Reference:
        3D-Properties, https://arxiv.org/abs/2406.07327
    """
    margin_B = batch.chosen.log_ratio - config.rejected * batch.rejected.log_ratio
    likelihood_B = config.likelihood * log_likelihood(batch.chosen)
    return -logsigmoid(config.beta * margin_B) - likelihood_B
