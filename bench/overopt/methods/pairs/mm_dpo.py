"""MM-DPO: DPO whose strength grows with the margin that a reward model sees in a pair.

Paper: Zhang et al. 2025, "MM-RLHF: The Next Step Forward in Multimodal LLM Alignment"
(https://arxiv.org/abs/2502.10391), dynamic reward scaling:
    L = -log sigmoid( beta(delta) (r_w - r_l) ),   beta(delta) = beta (1 + w (1 - exp(-k delta)))
with r = log pi/pi_ref and delta = R(y_w) - R(y_l), the margin of a reward model (neither equation
number nor defaults of w and k were verified; w is .1 in a script of the code). Pairs of a large
margin stop at a smaller log-ratio; their gradient is larger at first.
Checked against a copy of the authors' code, whose loss is handed 1 - exp(-k delta) with the data,
multiplies it by w, and holds beta(delta) at .001 or above; so it is here.
Deviations: to this loss that copy adds gamma times the mean negative log-likelihood of the chosen
response's tokens (.25 in its scripts), and unless told otherwise it puts one beta of the batch's
margins, as in beta-DPO, in the place of beta(delta); the formula has neither, nor has this file;
whether the paper trains with them was not verified. The reward model is the run's proxy, whose
scores are in SDs of the initial policy, so that k is per SD; the paper's own was trained on its
data, too. Where the proxy contradicts a label delta is negative, as in the formula: beta(delta)
falls below beta, down to .001.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import logsigmoid

from overopt.methods.contract.pairs import PairBatch
from overopt.methods.contract.training import given
from overopt.spec.declare import knob, param

FAMILY = "pairs"
KNOB = knob("beta", low=0.001, high=10.0, raises_kl=False)
USES_GOLD = "none"
INPUTS = ("proxy_scores",)

BETA_MIN = 0.001
"""Least beta(delta), 1/nats."""


@dataclass(frozen=True)
class Config:
    """Settings of MM-DPO."""

    beta: float = param(
        0.1, help="strength of the pull toward the initial policy", unit="1/nats", above=0.0
    )
    scale: float = param(0.5, help="w, how much a margin may add to beta", at_least=0.0)
    rate: float = param(0.5, help="k, how soon a margin counts in full", unit="1/SDs", at_least=0.0)


def loss(config: Config, batch: PairBatch) -> Tensor:
    """MM-DPO loss of each pair, in nats.

    Args:
        config: beta, per nat; w; k, per SD.
        batch: B pairs of per-token log-probabilities, nats, (B, T), and their scores, SDs, (B,).

    Returns:
        Shape (B,).

    Reference:
        MM-RLHF, dynamic reward scaling, https://arxiv.org/abs/2502.10391
    """
    chosen_B, rejected_B = (given(one.score, "proxy_scores") for one in batch[:2])
    added_B = config.scale * -(-config.rate * (chosen_B - rejected_B)).clamp(max=80.0).expm1()
    beta_B = (config.beta * (1 + added_B)).clamp(min=BETA_MIN)
    return -logsigmoid(beta_B * (batch.chosen.log_ratio - batch.rejected.log_ratio))
