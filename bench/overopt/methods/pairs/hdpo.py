"""H-DPO: DPO of an objective whose entropy has a weight of its own.

Paper: Omura et al. 2024, "Entropy Controllable Direct Preference Optimization"
(https://arxiv.org/abs/2411.07595):
    L = -log sigmoid( beta (alpha log pi(w)/pi(l) - log pi_ref(w)/pi_ref(l)) )
given x, log-probabilities summed over tokens. With KL(pi || pi_ref) = -H(pi) - E[log pi_ref], the
entropy is scaled by alpha: max E[r] + alpha beta H(pi) + beta E[log pi_ref], whose optimum is
pi_ref^(1/alpha) exp(r / (alpha beta)). alpha < 1 sharpens, alpha = 1 is DPO. At beta -> inf it is
pi_ref^(1/alpha) and not pi_ref: for alpha other than 1, KL 0 is not on the curve over beta, and the
loss at the start is not log 2.
Formula from third-party sources, re-derived; no official code was found.
Deviations: none known in the loss. alpha is 0.9 by default; the paper's own choice was not seen.
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
    """Settings of H-DPO."""

    beta: float = param(
        0.1, help="strength of the pull toward pi_ref^(1/alpha)", unit="1/nats", above=0.0
    )
    alpha: float = param(0.9, help="weight of the policy's entropy", above=0.0)


def loss(config: Config, batch: PairBatch) -> Tensor:
    """H-DPO loss of each pair, in nats.

    Args:
        config: beta, per nat; alpha.
        batch: B pairs of per-token log-probabilities, nats, shape (B, T).

    Returns:
        Shape (B,).

    Reference:
        Entropy Controllable Direct Preference Optimization, https://arxiv.org/abs/2411.07595
    """
    # alpha log pi - log pi_ref = log(pi / pi_ref) - (1 - alpha) log pi
    margin_B = batch.chosen.log_ratio - batch.rejected.log_ratio
    sharpened_B = log_likelihood(batch.chosen) - log_likelihood(batch.rejected)
    return -logsigmoid(config.beta * (margin_B - (1 - config.alpha) * sharpened_B))
