"""Caution: best-of-n by the proxy less a penalty for responses unlike the initial policy's.

Paper: Yu, Wu and Block 2026, "From Curiosity to Caution: Mitigating Reward Hacking for Best-of-N
with Pessimism" (https://arxiv.org/abs/2604.04648); formulas from third-party digests and reviews,
re-derived. T is a hidden layer of the reward model, frozen; P is a small network trained on typical
responses, samples of the initial policy to training prompts, to foretell it:
    min over P of E |P(x, y) - T(x, y)|^2,   a(x, y) = |P(x, y) - T(x, y)|^2
and of n samples the one with the largest r - lambda a is returned, both in standard units. The
policy is best-of-n by the penalized score, so that its law, weights and bound are best-of-n's. KL
is not monotone in lambda: 0 is best-of-n by the proxy, infinity best-of-n by familiarity. So n is
the knob.
Deviations: T is the last layer at the last token, which the head reads; the authors take the tenth.
P is a GRU on the frozen embeddings of the reward model's first layer. Its steps, batches and the
base of its learning rate are the task's for online methods; its rate has no warm-up, which that of
value models has. r and a have mean 0 and SD 1 over all prompts. An ensemble has a P for each
member, and the mean of the a. The authors write weights that add up to 1 in places; their best, .8
for a, is lambda = 4 here.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from overopt.methods.contract.novelty import PredictorShape
from overopt.methods.contract.selection import Floats, ScoredPool
from overopt.methods.contract.training import Training, given
from overopt.spec.declare import knob, param
from overopt.stats.pools import best_of_n
from overopt.stats.pools.listed import by_quantile

FAMILY = "selection"
KNOB = knob("n", low=2.0, high=65536.0, raises_kl=True, whole=True)
USES_GOLD = "none"
INPUTS = ("novelty",)


@dataclass(frozen=True)
class Config:
    """Settings of caution."""

    weight: float = param(
        1.0, help="lambda: weight of the penalty", unit="reward SDs / SD", at_least=0.0
    )
    width: int = param(32, help="hidden units of the predictor", at_least=1)
    epochs: int = param(2, help="passes over each batch of samples", at_least=1)
    predictor_rate: float = param(
        5.0, help="learning rate of the predictor over the task's", above=0.0
    )


class Predictor(nn.Module):
    """One recurrent layer over the tokens of prompt and response, and a projection."""

    def __init__(self, width: int, shape: PredictorShape) -> None:
        super().__init__()
        self.read = nn.GRU(shape.embedded, width, batch_first=True)
        self.project = nn.Linear(width, shape.target)

    def forward(self, embedded_RLE: Tensor, length_R: Tensor) -> Tensor:
        """Prediction (R, D) from the state at each row's last token."""
        state_RLH, _ = self.read(embedded_RLE)
        row_R = torch.arange(len(length_R), device=length_R.device)
        predicted_RD: Tensor = self.project(state_RLH[row_R, length_R - 1])
        return predicted_RD


def training(config: Config) -> Training:
    """Passes over each batch, and the predictor's relative learning rate."""
    return Training(epochs=config.epochs, module_rate=config.predictor_rate)


def make_predictor(config: Config, shape: PredictorShape) -> nn.Module:
    """P, its weights at random."""
    return Predictor(config.width, shape)


def prediction_error(config: Config, predicted_RD: Tensor, target_RD: Tensor) -> Tensor:
    """|P - T|^2 of each response, (R,)."""
    return (predicted_RD - target_RD).square().sum(-1)


def score(config: Config, pool: ScoredPool) -> Floats:
    """r - lambda a of each response, in SDs of the initial policy, (B, N)."""
    return pool.proxy_BN - config.weight * given(pool.novelty_BN, "novelty")


def weights(config: Config, pool: ScoredPool, knob: float) -> Floats:
    """Probability that each listed response is the best of ``knob`` draws, ties at random.

    Args:
        config: weight.
        pool: B prompts with N responses each, with their novelty.
        knob: n, at least 1.

    Returns:
        Shape (B, N); every row sums to 1.

    Reference:
        From Curiosity to Caution, https://arxiv.org/abs/2604.04648; from third parties
    """
    return by_quantile(score(config, pool), pool.reference_BN, lambda u: u**knob)


def unbiased_weights(config: Config, pool: ScoredPool, knob: float) -> Floats:
    """Probability that each sample is the best of ``knob`` drawn from its pool, none twice."""
    return best_of_n.weights(score(config, pool), int(knob))


def samples_used(config: Config, pool_samples: int, knob: float) -> int:
    """Samples that one response costs: n."""
    return int(knob)


def kl_bound_nats(config: Config, knob: float) -> float:
    """Upper bound of the KL, log n - (n - 1)/n, in nats: that of best-of-n by any score."""
    return float(best_of_n.kl_bound(knob))
