"""OCRM: the same pairs are learned again, weighted by how likely an optimized policy makes them.

Paper: Ackermann et al. 2025, "Off-Policy Corrected Reward Modeling for Reinforcement Learning from
Human Feedback" (https://arxiv.org/abs/2507.15507) (abstract seen), checked against the authors'
released code: a policy pi is optimized against a first reward model, and a second one learns the
same comparisons as pi would have drawn them,
    L = -w log sigmoid(r_w - r_l),   w = exp(m (q(y_w) + q(y_l)))
    q(y) = log(p / (a p + (1 - a) p_ref)),   p = pi(y|x),   a = 0.1
without new labels or samples. a > 0 bounds the ratio by 1/a. m = 1 is the whole correction. The
code's default of m is 0.01, as here; its two runs, on summaries and on instructions, have 0.001.
So the default is close to Bradley-Terry: for two policies that ended 3.9 and 4.7 nats away, the
weights of 1,024 pairs were worth 1,018 and 1,019 of them (effective sample size), by m = 0.1 595
and 658, by m = 1 two or three. Without a KL penalty policies ended 253 and 42 nats away, and
m = 0.01 left 893 and 998.
Deviations: the correction is made once, where the paper goes on by turns of policy and reward
model. The first reward model is a plain one of the same pairs. The policy is optimized by RLOO to
the task's last step, by PPO in the code. Its KL penalty is the code's number, 0.05 per nat on
summaries (0.1 on instructions), but counts in SDs of the reward under the initial policy, where the
code has raw rewards. Weights are divided by their mean, as the code can do but its runs do not. The
code takes exp of log-probabilities of whole responses, which underflows where they are below -87
nats; here the ratio is taken by differences.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from torch import Tensor
from torch.nn.functional import logsigmoid

from overopt.proxies.contract.heads import ReadBatch
from overopt.proxies.contract.known import KnownPairs
from overopt.spec.declare import param

OPTIMIZED = "rloo"


@dataclass(frozen=True)
class Config:
    """Settings of the off-policy correction."""

    members: int = param(1, help="reward models, same pairs, different seeds", at_least=1)
    power: float = param(0.01, help="m: of the ratios; 0 is Bradley-Terry", at_least=0.0)
    relative: float = param(
        0.1, help="a: share of the policy in what its ratio is to", at_least=0.0, at_most=1.0
    )
    normalize: bool = param(True, help="divide weights by their mean over the pairs")
    beta: float = param(
        0.05, help="KL penalty of the optimized policy", unit="reward SDs/nat", at_least=0.0
    )


def log_ratio(config: Config, ratio_P: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """q of responses with these log p - log p_ref, nats, (P,).

    Args:
        config: a.
        ratio_P: nats.
    """
    if config.relative == 0.0:
        return ratio_P
    share = np.log(config.relative)
    if config.relative == 1.0:
        return np.zeros_like(ratio_P)
    relative_P = ratio_P - np.logaddexp(share + ratio_P, np.log1p(-config.relative))
    return np.asarray(relative_P, np.float64)


def prepare(config: Config, known: KnownPairs) -> Mapping[str, npt.NDArray[np.float64]]:
    """Weight of each pair, (P,).

    Args:
        config: m, a, whether to normalize.
        known: log-ratios of both responses.

    Reference:
        Off-Policy Corrected Reward Modeling, https://arxiv.org/abs/2507.15507
    """
    assert known.chosen_ratio_P is not None and known.rejected_ratio_P is not None
    log_P = log_ratio(config, known.chosen_ratio_P) + log_ratio(config, known.rejected_ratio_P)
    weight_P = np.exp(config.power * log_P)
    return {"weight": weight_P / weight_P.mean() if config.normalize else weight_P}


def loss(config: Config, batch: ReadBatch) -> Tensor:
    """Weighted Bradley-Terry loss of each comparison, nats, (P,).

    Args:
        config: unused.
        batch: rewards of both sides, and weights.

    Reference:
        Off-Policy Corrected Reward Modeling, https://arxiv.org/abs/2507.15507
    """
    return -batch.labels["weight"] * logsigmoid(batch.chosen_P - batch.rejected_P)
