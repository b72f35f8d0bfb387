"""Likelihood-regularized best-of-n: keep the best of n by proxy and reference log-likelihood.

Paper: Jinnai et al. 2024, "Regularized Best-of-N Sampling with Minimum Bayes Risk Objective for
Language Model Alignment" (https://arxiv.org/abs/2404.01054), the KL-regularized variant of its code
    argmax_i r(x, y_i) + a log pi_ref(y_i | x)
over n samples of the initial policy; equation number not verified. The regularizer is that of a
policy with all mass on y: KL(1_y || pi_ref) = -log pi_ref(y|x). The policy is best-of-n by the sum,
so that its law, weights and bound are best-of-n's.
KL does not vanish as a grows: a = 0 is best-of-n by the proxy and a -> infinity best-of-n by
likelihood, which is as far from the initial policy (log n - (n - 1) / n without ties). So n is the
knob.
Deviations: r is in SDs of the initial policy and log pi_ref in nats, summed over the response, so
that long responses lose (the authors' code reads every token's at one position); the authors try a
from 1e-4 to 1 with rewards in their own units.
"""

from __future__ import annotations

from dataclasses import dataclass

from overopt.methods.contract.selection import Floats, ScoredPool
from overopt.methods.contract.training import given
from overopt.spec.declare import knob, param
from overopt.stats.pools import best_of_n
from overopt.stats.pools.listed import by_quantile

FAMILY = "selection"
KNOB = knob("n", low=2.0, high=65536.0, raises_kl=True, whole=True)
USES_GOLD = "none"
INPUTS = ("reference_logp",)


@dataclass(frozen=True)
class Config:
    """Settings of likelihood-regularized best-of-n."""

    weight: float = param(
        0.1, help="a: weight of log pi_ref", unit="reward SDs / nat", at_least=0.0
    )


def score(config: Config, pool: ScoredPool) -> Floats:
    """r + a log pi_ref of each response, in SDs of the initial policy, (B, N)."""
    logp_BN = given(pool.reference_logp_BN, "reference_logp")
    # what the initial policy never says has no likelihood, and no weight either
    return pool.proxy_BN + config.weight * logp_BN.clip(min=-1e6)


def weights(config: Config, pool: ScoredPool, knob: float) -> Floats:
    """Probability that each listed response is the best of ``knob`` draws, ties at random.

    Args:
        config: weight.
        pool: B prompts with N responses each, with their log-probabilities.
        knob: n, at least 1.

    Returns:
        Shape (B, N); every row sums to 1.

    Reference:
        Regularized Best-of-N Sampling, https://arxiv.org/abs/2404.01054; from the authors' code
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
