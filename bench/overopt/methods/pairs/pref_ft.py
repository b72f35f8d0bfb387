"""Pref-FT: supervised fine-tuning on chosen responses; of rejected ones nothing is learned.

Paper: Tajwar et al. 2024, "Preference Fine-Tuning of LLMs Should Leverage Suboptimal, On-Policy
Data" (https://arxiv.org/abs/2404.14367), its baseline that has neither on-policy samples nor a
negative gradient:
    L = -(1 - s) log pi(w|x) - s log pi(l|x),   s = 0,   log pi summed over tokens
The optimum is the law of the chosen responses: for pairs drawn from mu, mu(y) times twice the
chance that y wins, at most log 2 nats from mu. Beyond that a run memorizes its pairs. There is no
reference and no setting that limits KL: runs are read along their steps. No code was seen.
Deviations: s, 0 by default, is not the paper's. It is the share of rejected responses among what is
learned, and the knob where a run is asked to go along one: at s = 1/2 labels do not matter, and the
optimum is mu itself, the initial policy where it wrote both responses.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from overopt.methods.contract.pairs import PairBatch
from overopt.methods.math.responses import log_likelihood
from overopt.spec.declare import knob, param

FAMILY = "pairs"
KNOB = knob("rejected_share", low=0.001, high=0.5, raises_kl=False)
USES_GOLD = "none"


@dataclass(frozen=True)
class Config:
    """Settings of Pref-FT."""

    rejected_share: float = param(
        0.0, help="s, rejected responses' share of what is learned", at_least=0.0, at_most=0.5
    )


def loss(config: Config, batch: PairBatch) -> Tensor:
    """Negative log-likelihood of each pair's chosen response, in nats.

    Args:
        config: rejected_share s.
        batch: B pairs of per-token log-probabilities, nats, shape (B, T).

    Returns:
        Shape (B,).

    Reference:
        Preference Fine-Tuning of LLMs Should Leverage Suboptimal, On-Policy Data,
        https://arxiv.org/abs/2404.14367
    """
    share = config.rejected_share
    return -(1 - share) * log_likelihood(batch.chosen) - share * log_likelihood(batch.rejected)
