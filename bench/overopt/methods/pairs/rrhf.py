"""RRHF: mean log-probabilities put in the order of a reward model, and the best response learned.

Paper: Yuan et al. 2023, "RRHF: Rank Responses to Align Language Models with Human Feedback without
tears" (https://arxiv.org/abs/2304.05302): of the responses of a list, scored R,
    L = w sum_{R_i > R_j} max(0, s_j - s_i) + NLL( argmax R ),   s = log pi(y|x) / |y|^p
(eq. 3 to 5, w 1). There is no reference in it. A pair in the right order has no
gradient, whatever its distance; what goes on is the likelihood of the best.
Checked against the authors' code and scripts: p 1, w 1, the NLL a mean over tokens, where eq. 4
sums, without the slip by which all lists of a batch take their best response from the first. The
code's own default is w 100, which no script uses; of 10 and 100 the paper says that they were
worse.
Deviations: a list is a pair of the preference data and samples of the initial policy to its prompt,
drawn once, as in the paper's offline setting, whose lists hold a data set's two responses and those
of several models; the reward model is the run's proxy, and labels have no say. The code's mean is
over padding too. It belongs to the pairs family because its responses are not the policy's own.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from overopt.methods.contract.pairs import PairBatch
from overopt.methods.contract.training import given
from overopt.spec.declare import knob, param

FAMILY = "pairs"
KNOB = knob("rank_weight", low=0.01, high=1000.0, raises_kl=True)
USES_GOLD = "none"
INPUTS = ("listed",)


@dataclass(frozen=True)
class Config:
    """Settings of RRHF."""

    rank_weight: float = param(1.0, help="w, weight of the order", at_least=0.0)
    length_power: float = param(1.0, help="p, power of the length in s", at_least=0.0)
    samples: int = param(4, help="samples of the initial policy in each list", at_least=1)


def loss(config: Config, batch: PairBatch) -> Tensor:
    """RRHF loss of each list, in nats per token.

    Args:
        config: w, p.
        batch: lists of per-token log-probabilities, nats, (B, M, T), with scores, SDs, (B, M).

    Returns:
        Shape (B,).

    Reference:
        RRHF, https://arxiv.org/abs/2304.05302
    """
    listed = given(batch.listed, "listed")
    reward_BM = given(listed.score, "listed")
    tokens_BM = listed.mask.sum(-1).clamp(min=1)
    mean_BM = listed.mean_logp
    own_BM = mean_BM * tokens_BM ** (1 - config.length_power)
    better_BMM = reward_BM[:, :, None] > reward_BM[:, None, :]
    disorder_BMM = (own_BM[:, None, :] - own_BM[:, :, None]).clamp(min=0)
    order_B = (disorder_BMM * better_BMM).sum((1, 2))
    best_B1 = reward_BM.argmax(-1, keepdim=True)
    return config.rank_weight * order_B - mean_BM.gather(1, best_B1).squeeze(1)
