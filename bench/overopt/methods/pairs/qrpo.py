"""QRPO: each response's log-ratio fitted to its reward's quantile among the reference's own.

Paper: Matrenok et al. 2025, "Quantile Reward Policy Optimization: Alignment with Pointwise
Regression and Exact Partition Functions" (https://arxiv.org/abs/2507.08068):
    L = ( f(q) - beta log Z - beta log pi/pi_ref(y|x) )^2,   q = P( R(y') <= R(y) ),  y' ~ pi_ref
Under pi_ref q is uniform where no two responses have the same reward, so that Z = E exp(f(q)/beta)
is known: beta (e^(1/beta) - 1) for f(q) = q, beta/(1 + beta) for f(q) = log q, and the optimum is
pi_ref exp(f(q)/beta)/Z (equation numbers not verified). Rewards alone count, preferences do not.
Checked against the authors' code: q is the share of samples of pi_ref (6 in its configuration) at
or below, from 1/n under the logarithm; both responses of a pair are fitted, and averaged.
Deviations: by default f(q) = q and beta is .1, where its class has log q and .1 and its experiments
log q and .003. log Z of q is exact, where that code leaves out the 1 (4.5e-6 nats at beta .1). The
reward is the run's proxy, and the samples are drawn once for each pair, as theirs are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from overopt.methods.contract.pairs import PairBatch
from overopt.methods.contract.reading import Reading
from overopt.methods.contract.training import given
from overopt.spec.declare import knob, param

FAMILY = "pairs"
KNOB = knob("beta", low=0.01, high=10.0, raises_kl=False)
USES_GOLD = "none"
INPUTS = ("proxy_scores", "reference_scores")


@dataclass(frozen=True)
class Config:
    """Settings of QRPO."""

    beta: float = param(
        0.1, help="strength of the pull toward the initial policy", unit="1/nats", above=0.0
    )
    transform: str = param("identity", help="f, of the quantile", one_of=("identity", "log"))
    samples: int = param(6, help="samples of the initial policy behind a quantile", at_least=1)


def loss(config: Config, batch: PairBatch) -> Tensor:
    """QRPO loss of each pair, the mean of its two responses'.

    Args:
        config: beta, per nat; f.
        batch: B pairs of per-token log-probabilities, nats, (B, T), with the scores of both, (B,),
            and of samples of the initial policy, (B, N), SDs.

    Returns:
        Shape (B,).

    Reference:
        Quantile Reward Policy Optimization, https://arxiv.org/abs/2507.08068
    """
    others_BN = given(batch.reference_score, "reference_scores")
    chosen_B, rejected_B = (_residual(config, one, others_BN) for one in batch[:2])
    return (chosen_B**2 + rejected_B**2) / 2


def _residual(config: Config, response: Reading, others_BN: Tensor) -> Tensor:
    """f(q) - beta log Z - beta log pi/pi_ref of each response, (B,)."""
    reward_B = given(response.score, "proxy_scores")
    quantile_B = (others_BN <= reward_B[:, None]).to(others_BN).mean(-1)
    if config.transform == "log":
        target_B = quantile_B.clamp(min=1 / others_BN.shape[1]).log()
    else:
        target_B = quantile_B
    return target_B - config.beta * (log_partition(config) + response.log_ratio)


def log_partition(config: Config) -> float:
    """log Z, Z the mean of exp(f(q)/beta) over a uniform q."""
    if config.transform == "log":
        return math.log(config.beta / (1 + config.beta))
    return math.log(config.beta) + 1 / config.beta + math.log1p(-math.exp(-1 / config.beta))
