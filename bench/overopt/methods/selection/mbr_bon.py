"""MBR-regularized best-of-n: proxy plus mean similarity to the other responses of the draw.

Paper: Jinnai et al. 2024, "Regularized Best-of-N Sampling with Minimum Bayes Risk Objective for
Language Model Alignment" (https://arxiv.org/abs/2404.01054); rule from the authors' code, equation
numbers not verified. Of n samples of the initial policy,
    argmax_i r(x, y_i) + a 1/n sum_j u(y_i, y_j)
is returned, j = i included. a = 0 is best-of-n, and a -> infinity minimum Bayes risk decoding,
which keeps the response that the others resemble most. KL does not vanish as a grows, since that
is far from the initial policy too; so n is the knob.
Deviations: u is the cosine of features, the authors' that of sentence embeddings: features are the
mean over the response's tokens of the initial policy's last states, centered on their mean over the
pool, because in generated worlds there is no encoder of sentences. r is in SDs of the initial
policy; the authors try a from 1e-4 to 1 with rewards in their own units. Ties are broken at random.
KL is averaged over what is drawn beside a response; what others are drawn decides who wins, so
that no law in closed form is known.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from overopt.methods.contract.selection import Floats, ScoredPool
from overopt.methods.contract.training import given
from overopt.spec.declare import knob, param

FAMILY = "selection"
KNOB = knob("n", low=2.0, high=256.0, raises_kl=True, whole=True)
USES_GOLD = "none"
INPUTS = ("features",)

_TIE = 1e-6  # equal responses differ by rounding at most, of single precision


@dataclass(frozen=True)
class Config:
    """Settings of MBR-regularized best-of-n."""

    weight: float = param(
        1.0, help="a: weight of the mean similarity", unit="reward SDs", at_least=0.0
    )


def draw_size(config: Config, knob: float) -> int:
    """Responses that are drawn: n."""
    return int(knob)


def draw_weights(config: Config, draws: ScoredPool, knob: float) -> Floats:
    """Probability that each of the n responses of a draw is returned.

    Args:
        config: weight.
        draws: with proxy score of each response and its similarity, its mean cosine with all of
            the draw, (D, n).
        knob: n.

    Returns:
        Shape (D, n); every row sums to 1.

    Reference:
        Regularized Best-of-N Sampling, https://arxiv.org/abs/2404.01054; from the authors' code
    """
    score_Dn = draws.proxy_BN.copy()
    if config.weight > 0:
        score_Dn += config.weight * given(draws.similarity_BN, "features")
    best_Dn = score_Dn >= score_Dn.max(axis=1, keepdims=True) - _TIE
    return np.asarray(best_Dn / best_Dn.sum(axis=1, keepdims=True), np.float64)


def samples_used(config: Config, pool_samples: int, knob: float) -> int:
    """Samples that one response costs: n."""
    return int(knob)
