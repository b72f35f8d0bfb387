"""IS-DAA: a direct alignment loss, weighted by how likely a pair is under the policy of now.

Paper: Nguyen et al. 2025, "Mitigating Reward Over-optimization in Direct Alignment Algorithms with
Importance Sampling" (https://arxiv.org/abs/2506.08681):
    L = w L_DAA,   w = exp( min( r_w + r_l, 2 eps ) ) without gradient
    L_DAA = -log sigmoid( beta (r_w - r_l) )   or   ( r_w - r_l - 1/(2 beta) )^2
with r = log pi/pi_data, summed over tokens (equation numbers not verified). The weight stands for
pi(y_w) pi(y_l) / (pi_data(y_w) pi_data(y_l)); only large ones are clipped. It is the same whichever
response was chosen, so that with a table for a policy and all pairs at hand the optimum is that of
L_DAA; it matters for finite steps and pairs, and where weights of the network are shared.
Checked against the authors' code, in which pi_data is the reference, and sums are clipped at once.
Deviations: none in the loss. Their released script runs the second loss, with an eps of 1; .25 is
their configuration's. Here the pairs are drawn from pi_ref, so that pi_data is known exactly.
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
    """Settings of IS-DAA."""

    beta: float = param(
        0.1, help="strength of the pull toward the initial policy", unit="1/nats", above=0.0
    )
    clip: float = param(
        0.25, help="eps, half of the largest log weight of a pair", unit="nats", at_least=0.0
    )
    base: str = param("dpo", help="the loss that is weighted", one_of=("dpo", "ipo"))


def loss(config: Config, batch: PairBatch) -> Tensor:
    """Weighted loss of each pair, in nats (dpo) or nats squared (ipo).

    Args:
        config: beta, per nat; eps, nats; which loss.
        batch: B pairs of per-token log-probabilities, nats, shape (B, T).

    Returns:
        Shape (B,).

    Reference:
        Mitigating Reward Over-optimization in Direct Alignment Algorithms with Importance Sampling,
        https://arxiv.org/abs/2506.08681
    """
    chosen_B, rejected_B = batch.chosen.log_ratio, batch.rejected.log_ratio
    weight_B = (chosen_B + rejected_B).detach().clamp(max=2 * config.clip).exp()
    margin_B = chosen_B - rejected_B
    if config.base == "ipo":
        return weight_B * (margin_B - 1 / (2 * config.beta)) ** 2
    return weight_B * -logsigmoid(config.beta * margin_B)
