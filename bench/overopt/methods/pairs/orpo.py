"""ORPO: likelihood of chosen responses, and their odds against those of rejected ones.

Paper: Hong et al. 2024, "ORPO: Monolithic Preference Optimization without Reference Model"
(https://arxiv.org/abs/2403.07691), eqs. 4 and 7 as TRL's code cites them:
    L = -p_w - lambda log sigmoid( o_w - o_l ),   o = p - log(1 - e^p),   p = log pi(y|x) / |y|
lambda = 0 is SFT on chosen responses. There is no reference, so that no setting holds a policy near
the initial one: runs are read along their steps; a larger lambda pushes further from SFT.
Checked against TRL's odds_ratio_loss and the formula in the authors' released code (whose alpha is
1 unless given; TRL's lambda is .1).
Deviations: the likelihood is that of the response given the prompt, each response's mean over its
own tokens, which is the paper's p. The released code (unless told otherwise) and TRL also learn
the prompt's tokens, and average over all tokens of a batch; here prompts are drawn by the world,
and no policy is measured on them.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from overopt.methods.contract.pairs import PairBatch
from overopt.methods.math.responses import mean_log_likelihood
from overopt.spec.declare import knob, param

FAMILY = "pairs"
KNOB = knob("weight", low=0.001, high=100.0, raises_kl=True)
USES_GOLD = "none"


@dataclass(frozen=True)
class Config:
    """Settings of ORPO."""

    weight: float = param(0.1, help="lambda, of the odds against likelihood", at_least=0.0)


def loss(config: Config, batch: PairBatch) -> Tensor:
    """ORPO loss of each pair, in nats per token.

    Args:
        config: weight lambda.
        batch: B pairs of per-token log-probabilities, nats, shape (B, T).

    Returns:
        Shape (B,).

    Reference:
        ORPO, eqs. 4 and 7, https://arxiv.org/abs/2403.07691
    """
    chosen_B, rejected_B = mean_log_likelihood(batch.chosen), mean_log_likelihood(batch.rejected)
    odds_B = _log_odds(chosen_B) - _log_odds(rejected_B)
    return -chosen_B - config.weight * logsigmoid(odds_B)


def _log_odds(logp_B: Tensor) -> Tensor:
    """log(p / (1 - p)) of log p; finite where p rounds to 1."""
    below_B = logp_B.clamp(max=-torch.finfo(logp_B.dtype).eps)
    return logp_B - torch.log(-torch.expm1(below_B))
