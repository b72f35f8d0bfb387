"""RAFT: learn the best of fresh samples by likelihood, and go on from what was learned.

Paper: Dong et al. 2023, "RAFT: Reward rAnked FineTuning for Generative Foundation Model Alignment"
(https://arxiv.org/abs/2304.06767): of the samples of a round keep the share alpha of the highest
reward, fine-tune on it, and draw anew from the result:
    L = -log pi(y|x)
(equation number not verified). The share is of each prompt's samples, or with ``ranking`` round of
all samples of the round. Checked against the authors' released code, which has both modes. Infinite
samples, a full fit and the best of N of each prompt make t rounds best-of-N^t of the initial policy
exactly; the other mode restricts it to rewards above a quantile.
Deviations: log pi(y|x) is summed over tokens, where the code averages, so that long responses count
in proportion. Samples are at temperature 1 (the table: .85); a round is one rollout. A share of
less than one sample keeps one, and one below 1 leaves one out. SuperHF without its prior is the
best of each prompt in one pass.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from overopt.methods.contract.iterative import KeptRows
from overopt.methods.contract.reading import Reading
from overopt.methods.contract.samples import Rollout
from overopt.methods.contract.training import Training
from overopt.methods.math.responses import log_likelihood
from overopt.spec.declare import knob, param

FAMILY = "iterative"
KNOB = knob("share", low=0.01, high=0.9, raises_kl=False)
USES_GOLD = "none"


@dataclass(frozen=True)
class Config:
    """Settings of RAFT."""

    share: float = param(0.125, help="alpha, share of the samples kept", above=0.0, at_most=1.0)
    ranking: str = param("prompt", help="what samples are ranked among", one_of=("prompt", "round"))
    epochs: int = param(4, help="passes over the samples kept of a round", at_least=1)
    minibatches: int = param(1, help="gradient steps in each pass", at_least=1)


def training(config: Config) -> Training:
    """Inner epochs and minibatches of a round."""
    return Training(config.epochs, config.minibatches)


def build(config: Config, rollout: Rollout) -> KeptRows:
    """The samples of the highest reward; of equal ones those that come first.

    Args:
        config: share, ranking.
        rollout: rewards (B, N).

    Returns:
        Rows b N + n, at least one of each prompt or of the round.

    Reference:
        RAFT, https://arxiv.org/abs/2304.06767
    """
    reward_GN, row_GN = rollout.reward_BN, rollout.row_BN
    if config.ranking == "round":
        reward_GN, row_GN = reward_GN.reshape(1, -1), row_GN.reshape(1, -1)
    samples = reward_GN.shape[1]
    kept = max(1, round(config.share * samples))
    if config.share < 1 and samples > 1:
        kept = min(kept, samples - 1)
    best_GK = reward_GN.argsort(dim=-1, descending=True, stable=True)[:, :kept]
    return KeptRows(row_GN.gather(1, best_GK).flatten())


def loss(config: Config, batch: Reading) -> Tensor:
    """Negative log-likelihood of each kept response, nats, shape (B,).

    Reference:
        RAFT, https://arxiv.org/abs/2304.06767
    """
    return -log_likelihood(batch)
