"""PHF filter: learn those of the data whose score passes a threshold, leave out the rest.

Paper: Korbak et al. 2023, "Pretraining Language Models with Human Preferences"
(https://arxiv.org/abs/2302.08582), its objective of dataset filtering: likelihood on the texts of a
corpus whose score passes a threshold,
    L = -1[ R(y) > t ] log pi(y|x)
whose optimum is the corpus restricted to them, at KL -log P(good) from it. This optimum and numbers
by hand were checked; the authors' filter runs before training and was not read.
Deviations: the corpus is fresh samples of the initial policy, which models it, as many as the task
draws; so it never changes, unlike that of rest and raft, which learn their own samples. The
threshold is a quantile of each round's scores. log pi(y|x) is summed over tokens. Training starts
from the initial policy, not from nothing.
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
KNOB = knob("good_share", low=0.02, high=0.95, raises_kl=False)
USES_GOLD = "none"
INPUTS = ("reference_samples",)


@dataclass(frozen=True)
class Config:
    """Settings of filtering."""

    good_share: float = param(
        0.5, help="share of a round's data that is kept", above=0.0, at_most=1.0
    )


def build(config: Config, rollout: Rollout) -> KeptRows:
    """The initial policy's samples at or above the round's quantile.

    Args:
        config: good_share.
        rollout: rewards of the initial policy's samples, (B, N).

    Returns:
        Their rows.

    Reference:
        Pretraining Language Models with Human Preferences, https://arxiv.org/abs/2302.08582
    """
    data = given(rollout.opponents, "reference_samples")
    return KeptRows(rollout.opponent_row_BM[in_best_share(data.reward_BN, config.good_share)])


def loss(config: Config, batch: Reading) -> Tensor:
    """Negative log-likelihood of each response, nats, shape (B,).

    Reference:
        Pretraining Language Models with Human Preferences, https://arxiv.org/abs/2302.08582
    """
    return -log_likelihood(batch)
