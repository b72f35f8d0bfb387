"""CPO: DPO with a uniform reference, which drops out, and the likelihood of chosen responses.

Paper: Xu et al. 2024, "Contrastive Preference Optimization: Pushing the Boundaries of LLM
Performance in Machine Translation" (https://arxiv.org/abs/2401.08417), eq. 3 as TRL cites it:
    L = -log sigmoid( beta (log pi(w|x) - log pi(l|x)) ) - alpha log pi(w|x) / |w|
log pi is summed over tokens in the first term. There is no reference, so that no setting holds a
policy near the initial one: runs are read along their steps. With alpha = 0 and pairs of all
responses the optimum is exp(r / beta), whatever wrote the pairs.
Checked against TRL's cpo_loss, beside which TRL has a likelihood over all response tokens of a
batch.
Deviations: the likelihood is each response's mean over its own tokens. The knob is its weight
alpha, which moves KL after a set number of steps; at no setting is the initial policy optimal.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import logsigmoid

from overopt.methods.contract.pairs import PairBatch
from overopt.methods.math.responses import log_likelihood, mean_log_likelihood
from overopt.spec.declare import knob, param

FAMILY = "pairs"
KNOB = knob("alpha", low=0.01, high=100.0, raises_kl=False)
USES_GOLD = "none"


@dataclass(frozen=True)
class Config:
    """Settings of CPO."""

    beta: float = param(0.1, help="scale of the difference", unit="1/nats", above=0.0)
    alpha: float = param(1.0, help="weight of the likelihood", unit="tokens", at_least=0.0)


def loss(config: Config, batch: PairBatch) -> Tensor:
    """CPO loss of each pair, in nats.

    Args:
        config: beta, per nat; alpha.
        batch: B pairs of per-token log-probabilities, nats, shape (B, T).

    Returns:
        Shape (B,).

    Reference:
        Contrastive Preference Optimization, eq. 3, https://arxiv.org/abs/2401.08417
    """
    difference_B = log_likelihood(batch.chosen) - log_likelihood(batch.rejected)
    likelihood_B = config.alpha * mean_log_likelihood(batch.chosen)
    return -logsigmoid(config.beta * difference_B) - likelihood_B
