"""DPO: preference pairs as a classification problem whose logit is the policy's implicit reward.

Paper: Rafailov et al. 2023, "Direct Preference Optimization: Your Language Model is Secretly a
Reward Model" (https://arxiv.org/abs/2305.18290), eq. 7:
    L = -log sigmoid( beta (r_w - r_l) ),   r = log pi(y|x) - log pi_ref(y|x), summed over tokens
Here pi_ref is the initial policy. The gradient on a pair fades once beta (r_w - r_l) >> 1, so a
smaller beta lets the policy walk further in KL.
Deviations: none in the loss. The paper anneals nothing and trains for about one epoch; how long
to train, and at what learning rate, belongs to the task.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import logsigmoid

from overopt.methods.contract.pairs import PairBatch
from overopt.spec.declare import knob, param

FAMILY = "pairs"
KNOB = knob("beta", low=0.001, high=10.0, raises_kl=False)
USES_GOLD = "none"


@dataclass(frozen=True)
class Config:
    """Settings of DPO."""

    beta: float = param(
        0.1, help="strength of the pull toward the initial policy", unit="1/nats", above=0.0
    )


def loss(config: Config, batch: PairBatch) -> Tensor:
    """DPO loss of each pair, in nats: -log sigmoid(beta (r_w - r_l)).

    Args:
        config: beta, per nat.
        batch: B pairs of per-token log-probabilities, nats, shape (B, T).

    Returns:
        Shape (B,).

    Reference:
        Direct Preference Optimization, eq. 7, https://arxiv.org/abs/2305.18290
    """
    margin_B = batch.chosen.log_ratio - batch.rejected.log_ratio
    return -logsigmoid(config.beta * margin_B)
