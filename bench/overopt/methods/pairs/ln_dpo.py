"""Length-normalized DPO: implicit rewards are averaged over a response's tokens.

Paper: Lambert et al. 2024, "Tulu 3: Pushing Frontiers in Open Language Model Post-Training"
(https://arxiv.org/abs/2411.15124), the variant of DPO that it settles on:
    L = -log sigmoid( beta (r_w / |w| - r_l / |l|) ),   r = log pi(y|x) - log pi_ref(y|x)
summed over tokens, |y| counting them, EOS included. beta is per nat and token, and about |y| times
that of dpo holds a policy equally close (5 in the paper); on responses of one length n it is dpo
with beta / n. With several lengths no reward stands behind the optimum in closed form.
Checked against TRL's "sigmoid_norm"; equation number not verified.
Deviations: none in the loss.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import logsigmoid

from overopt.methods.contract.pairs import PairBatch
from overopt.methods.math.responses import mean_log_ratio
from overopt.spec.declare import knob, param

FAMILY = "pairs"
KNOB = knob("beta", low=0.01, high=100.0, raises_kl=False)
USES_GOLD = "none"


@dataclass(frozen=True)
class Config:
    """Settings of length-normalized DPO."""

    beta: float = param(
        5.0, help="strength of the pull toward the initial policy", unit="tokens/nat", above=0.0
    )


def loss(config: Config, batch: PairBatch) -> Tensor:
    """Length-normalized DPO loss of each pair, in nats.

    Args:
        config: beta, tokens per nat.
        batch: B pairs of per-token log-probabilities, nats, shape (B, T).

    Returns:
        Shape (B,).

    Reference:
        Tulu 3, https://arxiv.org/abs/2411.15124
    """
    margin_B = mean_log_ratio(batch.chosen) - mean_log_ratio(batch.rejected)
    return -logsigmoid(config.beta * margin_B)
