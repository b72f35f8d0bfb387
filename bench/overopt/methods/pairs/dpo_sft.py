"""DPO + SFT: DPO with the likelihood of chosen responses, token by token, at a weight near 1.

Paper: Pang et al. 2024, "Iterative Reasoning Preference Optimization"
(https://arxiv.org/abs/2404.19733), its loss, here on preference pairs that stay:
    L = -log sigmoid(beta (r_w - r_l)) - alpha log pi(w|x) / |w|
r = log pi(y|x) - log pi_ref(y|x), summed over tokens. It is rpo's averaged form, whose weights are
some five times smaller. alpha = 0 is DPO; as it grows, policies go to the law of chosen responses.
Checked against TRL's "sigmoid" with "sft" on chosen responses of one length, since TRL averages
over the tokens of a batch; equation number not verified.
Deviations: one round on given pairs instead of rounds on fresh ones. The weight is on the
likelihood; alpha 1 is the same either way. The knob begins at beta .1: below some beta, which
depends on the world, the likelihood outweighs all else, and KL falls with beta.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import logsigmoid

from overopt.methods.contract.pairs import PairBatch
from overopt.methods.math.responses import mean_log_likelihood
from overopt.spec.declare import knob, param

FAMILY = "pairs"
KNOB = knob("beta", low=0.1, high=10.0, raises_kl=False)
USES_GOLD = "none"


@dataclass(frozen=True)
class Config:
    """Settings of DPO + SFT."""

    beta: float = param(
        0.1, help="strength of the pull toward the initial policy", unit="1/nats", above=0.0
    )
    alpha: float = param(1.0, help="weight of the likelihood", unit="tokens", at_least=0.0)


def loss(config: Config, batch: PairBatch) -> Tensor:
    """DPO loss and weighted likelihood of each pair, in nats.

    Args:
        config: beta, per nat; alpha.
        batch: B pairs of per-token log-probabilities, nats, shape (B, T).

    Returns:
        Shape (B,).

    Reference:
        Iterative Reasoning Preference Optimization, https://arxiv.org/abs/2404.19733
    """
    margin_B = batch.chosen.log_ratio - batch.rejected.log_ratio
    return -logsigmoid(config.beta * margin_B) - config.alpha * mean_log_likelihood(batch.chosen)
