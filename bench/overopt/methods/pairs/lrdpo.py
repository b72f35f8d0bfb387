"""Length-regularized DPO: a pair's margin is credited with what its lengths explain.

Paper: Park et al. 2024, "Disentangling Length from Quality in Direct Preference Optimization"
(https://arxiv.org/abs/2403.19159):
    L = -log sigmoid( beta (r_w - r_l) + alpha (|w| - |l|) )
r = log pi(y|x) - log pi_ref(y|x), summed over tokens; |y| counts tokens, EOS included. The optimum
is that of the reward r - alpha |y|: pi_ref exp((r - alpha |y|) / beta). The sign is a plus: a
longer chosen response has a smaller loss, and pushes less.
Formula from third-party sources, re-derived; no official code was found. A sweep that was seen has
alpha .01 with beta .01 to .1; equation number not verified.
Deviations: none known.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import logsigmoid

from overopt.methods.contract.pairs import PairBatch
from overopt.methods.math.responses import tokens
from overopt.spec.declare import knob, param

FAMILY = "pairs"
KNOB = knob("beta", low=0.001, high=10.0, raises_kl=False)
USES_GOLD = "none"


@dataclass(frozen=True)
class Config:
    """Settings of length-regularized DPO."""

    beta: float = param(
        0.1, help="strength of the pull toward the initial policy", unit="1/nats", above=0.0
    )
    alpha: float = param(0.01, help="price of a token", unit="nats/token", at_least=0.0)


def loss(config: Config, batch: PairBatch) -> Tensor:
    """Length-regularized DPO loss of each pair, in nats.

    Args:
        config: beta, per nat; alpha, nats per token.
        batch: B pairs of per-token log-probabilities, nats, shape (B, T).

    Returns:
        Shape (B,).

    Reference:
        Disentangling Length from Quality in Direct Preference Optimization,
        https://arxiv.org/abs/2403.19159
    """
    margin_B = batch.chosen.log_ratio - batch.rejected.log_ratio
    longer_B = tokens(batch.chosen) - tokens(batch.rejected)
    return -logsigmoid(config.beta * margin_B + config.alpha * longer_B)
