"""WPO: DPO whose pairs count by how likely the policy of now would be to draw them itself.

Paper: Zhou et al. 2024, "WPO: Enhancing RLHF with Weighted Preference Optimization"
(https://arxiv.org/abs/2406.11827), eq. 2 with the weights' alignment by a policy's own draws:
    L = -w(y_w) w(y_l) log sigmoid( beta (r_w - r_l) ),   r = log pi/pi_ref
    w(y) = exp( 1/|y| sum_t [ log pi(y_t) - log sum_v pi(v)^2 ] ) without gradient
all given x and y_<t. log sum_v pi(v)^2 is about what a token drawn from pi has for its log pi, so
that w is about 1 of the policy's own responses, whatever its entropy.
Checked against TRL's loss (use_weighting), which is this with cap infinite; the authors' code caps
the product of both weights at 1, as do older versions of TRL, and so does the default here.
Deviations: none in the loss. The paper trains on pairs of other models too; here they are drawn
from pi_ref, and how far the policy has moved from it is all that weights see.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import logsigmoid

from overopt.methods.contract.pairs import PairBatch
from overopt.methods.contract.reading import Reading
from overopt.methods.contract.training import given
from overopt.spec.declare import knob, param

FAMILY = "pairs"
KNOB = knob("beta", low=0.001, high=10.0, raises_kl=False)
USES_GOLD = "none"
INPUTS = ("collision_logp",)


@dataclass(frozen=True)
class Config:
    """Settings of WPO."""

    beta: float = param(
        0.1, help="strength of the pull toward the initial policy", unit="1/nats", above=0.0
    )
    cap: float = param(1.0, help="largest weight of a pair", above=0.0)


def loss(config: Config, batch: PairBatch) -> Tensor:
    """WPO loss of each pair, in nats.

    Args:
        config: beta, per nat; cap.
        batch: B pairs of per-token log-probabilities and collision log-chances, nats, (B, T).

    Returns:
        Shape (B,).

    Reference:
        WPO, eq. 2, https://arxiv.org/abs/2406.11827
    """
    log_weight_B = _log_weight(batch.chosen) + _log_weight(batch.rejected)
    weight_B = log_weight_B.exp().clamp(max=config.cap)
    margin_B = batch.chosen.log_ratio - batch.rejected.log_ratio
    return -weight_B * logsigmoid(config.beta * margin_B)


def _log_weight(response: Reading) -> Tensor:
    """Mean over tokens of log pi less what it is of the policy's own draws, nats, (B,)."""
    own_BT = given(response.collision_logp, "collision_logp")
    above_B = ((response.policy_logp.detach() - own_BT) * response.mask).sum(-1)
    return above_B / response.mask.sum(-1).clamp(min=1)
