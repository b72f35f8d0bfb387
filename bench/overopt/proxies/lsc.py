"""Log-sigmoid of centered rewards, whose sum over reward models says that all find it good.

Paper: Wang et al. 2024, "Transforming and Combining Rewards for Aligning Large Language Models"
(https://arxiv.org/abs/2402.00742), the LSC transformation (read in reviews of the paper, its
equation number not verified):
    u(x, y) = log sigmoid(r(x, y) - r_ref(x)),   R = sum over reward models of u
sigmoid(r - r_ref) is taken for the probability that the response is good, so that the sum is the
log-probability of being good by every model: a logical AND. Gains on poor responses count for more
than those on good ones.
r_ref is a quantile of the rewards of J responses of the initial policy to the prompt; 0.85 is from
memory of the paper's experiments on helpfulness, not verified.
Within a prompt one member's u is increasing in r, so that best-of-n with one member chooses as by
``single``.
Deviations: members learn the same labels from different seeds, where the paper sums models of
different properties. Each member's u is recentered and scaled under the initial policy, and the
mean stands in place of the sum, which changes scale and equal weights only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import log_expit

from overopt.spec.declare import param


@dataclass(frozen=True)
class Config:
    """Settings of the log-sigmoid centered transformation."""

    members: int = param(3, help="reward models, same pairs, different seeds", at_least=1)
    references: int = param(16, help="J, frozen responses of the initial policy", at_least=1)
    quantile: float = param(
        0.85, help="of their rewards that counts as good", at_least=0.0, at_most=1.0
    )


def transform(
    config: Config, score_N: npt.NDArray[np.float64], reference_NJ: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Log-probability of being good, nats, at most 0, (N,).

    Args:
        config: which quantile of the references is good.
        score_N: raw scores, log-odds.
        reference_NJ: those of the references.

    Reference:
        Transforming and Combining Rewards for Aligning Large Language Models,
        https://arxiv.org/abs/2402.00742
    """
    good_N = np.quantile(reference_NJ, config.quantile, axis=1)
    return np.asarray(log_expit(score_N - good_N), np.float64)
