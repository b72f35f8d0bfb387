"""Policies over responses that are listed with their probabilities under the initial policy.

The list is every response where a world can enumerate them; elsewhere it is a pool of samples, each
with probability 1/N. A method that looks at nothing but a proxy moves probability between proxy
scores only, so that its KL depends on the list through the distribution of the proxy alone.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from overopt.stats.arrays import Floats, check_finite, check_same_shape

NORMALIZATION_TOLERANCE = 1e-4  # probabilities of enumerated responses come from float32 logits

POOL_CAVEAT = (
    "Effective sample size says on how many samples of the pool a number rests; it cannot see "
    "responses that the pool never drew, whose share of the KL and of the gold is missing."
)
"""What every reader of a reweighted pool has to know."""


def check_listed(policy_BR: ArrayLike, name: str) -> Floats:
    """Return a (B, R) array of distributions as float64.

    Raises:
        ValueError: if it has another shape, or a row is not a distribution.
    """
    policy = check_finite(policy_BR, name)
    if policy.ndim != 2:
        raise ValueError(f"{name} must have shape (prompts, responses), got {policy.shape}")
    if np.any(policy < 0) or np.any(np.abs(policy.sum(axis=1) - 1) > NORMALIZATION_TOLERANCE):
        raise ValueError(f"{name} must have rows of probabilities that sum to 1")
    return policy


def uniform(n_prompts: int, n_samples: int) -> Floats:
    """Reference probabilities of a pool of samples, 1/N each, shape (B, N)."""
    return np.full((n_prompts, n_samples), 1.0 / n_samples)


def kl_listed(policy_BR: ArrayLike, reference_BR: ArrayLike) -> Floats:
    """KL(policy || reference) of each prompt, in nats: sum of p log(p/q), with 0 log 0 = 0.

    Exact where the list holds every response. On a pool (q = 1/N) it is the KL of a policy that
    can say nothing but the pool, at most log N: a tail that was not drawn is missing.

    Args:
        policy_BR: probability of each listed response under the policy.
        reference_BR: the same under the reference.

    Returns:
        Shape (B,), nats.

    Raises:
        ValueError: if shapes differ, a row is not a distribution, or p > 0 where q = 0.
    """
    policy = check_listed(policy_BR, "the policy")
    reference = check_listed(reference_BR, "the reference")
    check_same_shape(policy, reference, "policy and reference")
    present = policy > 0
    if np.any(present & (reference == 0)):
        raise ValueError("the policy puts mass where the reference has none: KL is infinite")
    ratio = np.divide(policy, reference, out=np.ones_like(policy), where=present)
    return np.asarray((policy * np.log(ratio)).sum(axis=1), np.float64)


def effective_samples(weight_BN: ArrayLike) -> float:
    """Kish effective sample size 1 / mean_b(sum_n w^2), in samples of a prompt's pool.

    Harmonic mean over prompts, because the bias of self-normalized weights goes like its inverse.
    It measures how evenly the pool is used; see `POOL_CAVEAT` for what it cannot see.

    Args:
        weight_BN: weights over each prompt's pool, rows summing to 1.

    Raises:
        ValueError: if a row is not a distribution.
    """
    weight = check_listed(weight_BN, "weights")
    return float(1.0 / np.square(weight).sum(axis=1).mean())


def by_quantile(
    score_BR: ArrayLike, reference_BR: ArrayLike, cdf: Callable[[Floats], Floats]
) -> Floats:
    """Policy that picks a response by its proxy quantile, the quantile having a given CDF.

    With F the distribution function of the score under the reference, responses of score s share
    cdf(F(s)) - cdf(F(s-)) in proportion to their reference probabilities (ties broken at random).
    Best-of-n is cdf(u) = u^n; a random n mixes such powers.

    Args:
        score_BR: proxy score of each listed response.
        reference_BR: its probability under the reference.
        cdf: distribution function on [0, 1] of the picked quantile, elementwise, with cdf(0) = 0
            and cdf(1) = 1.

    Returns:
        Shape (B, R); rows sum to 1.

    Raises:
        ValueError: if shapes differ, a score is NaN or infinite, or a row of the reference is not
            a distribution.
    """
    score, reference = check_finite(score_BR, "scores"), check_listed(reference_BR, "the reference")
    check_same_shape(score, reference, "scores and reference")
    policy = np.empty_like(reference)
    for b in range(len(score)):
        level_U, level_R = np.unique(score[b], return_inverse=True)
        mass_U = np.bincount(level_R, weights=reference[b], minlength=level_U.size)
        up_to_U = np.concatenate(([0.0], np.cumsum(mass_U)))
        picked_U = np.diff(cdf(up_to_U / up_to_U[-1]))
        share_U = np.divide(picked_U, mass_U, out=np.zeros_like(mass_U), where=mass_U > 0)
        policy[b] = reference[b] * share_U[level_R]
    return policy
