"""PHF unlikelihood: learn good data by likelihood, and unlearn the tokens of the rest.

Paper: Korbak et al. 2023, "Pretraining Language Models with Human Preferences"
(https://arxiv.org/abs/2302.08582), its objective of unlikelihood, after Welleck et al. 2019
(https://arxiv.org/abs/1908.04319):
    L = -sum_t log pi(y_t)                      where R(y) passes a threshold
    L = -alpha sum_t log( 1 - pi(y_t) )         elsewhere
Of texts of one token the optimum is that of filtering whatever alpha > 0; of longer ones, tokens
that good and poor texts share are pulled both ways. alpha = 0 is phf-filter. Checked against the
authors' code, 1 - pi at least 1e-20 included.
Deviations: the corpus is fresh samples of the initial policy, which models it; the threshold is a
quantile of each round's scores, which are of whole responses, where the paper scores sentences and
sums are means over tokens. Training starts from the initial policy, not from nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from overopt.methods.contract.iterative import KeptRows
from overopt.methods.contract.reading import Reading
from overopt.methods.contract.samples import Rollout
from overopt.methods.contract.training import given
from overopt.methods.math.responses import log_likelihood
from overopt.methods.math.shares import in_best_share
from overopt.spec.declare import knob, param

FAMILY = "iterative"
KNOB = knob("alpha", low=0.01, high=100.0, raises_kl=True)
USES_GOLD = "none"
INPUTS = ("reference_samples",)


@dataclass(frozen=True)
class Config:
    """Settings of unlikelihood."""

    alpha: float = param(1.0, help="weight of the unlikelihood", at_least=0.0)
    good_share: float = param(
        0.5, help="share of a round's data that counts as good", above=0.0, at_most=1.0
    )


def build(config: Config, rollout: Rollout) -> KeptRows:
    """All of the initial policy's samples, with weight 1 where they are good and 0 elsewhere.

    Args:
        config: good_share.
        rollout: rewards of the initial policy's samples, (B, N).

    Returns:
        Their rows, shape (B N,), and the weights.

    Reference:
        Pretraining Language Models with Human Preferences, https://arxiv.org/abs/2302.08582
    """
    data = given(rollout.opponents, "reference_samples")
    good_BN = in_best_share(data.reward_BN, config.good_share)
    return KeptRows(rollout.opponent_row_BM.flatten(), good_BN.to(data.reward_BN).flatten())


def loss(config: Config, batch: Reading) -> Tensor:
    """Likelihood or unlikelihood loss of each response, nats, shape (B,).

    Args:
        config: alpha.
        batch: log-probabilities (B, T), and 1 where a response is good, 0 elsewhere.

    Reference:
        Pretraining Language Models with Human Preferences, https://arxiv.org/abs/2302.08582
    """
    good_B = given(batch.weight, "weight_K of build")
    others_BT = (1 - batch.policy_logp.exp()).clamp(min=1e-20).log()
    unlikelihood_B = (others_BT * batch.mask).sum(-1)
    return -good_B * log_likelihood(batch) - config.alpha * (1 - good_B) * unlikelihood_B
