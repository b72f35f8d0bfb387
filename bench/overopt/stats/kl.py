"""How far a policy has moved from where it started, in nats per response.

Every estimator takes samples of the policy p and is about KL(p || q), q being the reference. They
have the same name on every axis of every figure, because peers plot different ones.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from overopt.stats.arrays import Bools, Floats, check_finite, check_same_shape, group_rows

NORMALIZATION_TOLERANCE = 1e-4  # float32 log-softmax over a large vocabulary stays well inside


class Estimate(NamedTuple):
    """A mean over prompts with its standard error; prompts are the sampling unit.

    Attributes:
        mean: mean over prompts of the prompt means, so that every prompt weighs the same.
        se: standard error of that mean, or None when there is one prompt only.
        n_prompts: number of prompts.
        n_samples: number of samples in all prompts together.
    """

    mean: float
    se: float | None
    n_prompts: int
    n_samples: int


def k1(log_ratio: ArrayLike) -> Floats:
    """Estimate KL(p || q) by log(p/q), in nats: unbiased, high variance, negative at times.

    Args:
        log_ratio: log p - log q of whole responses sampled from p, nats.

    Reference:
        Schulman, "Approximating KL Divergence", 2020, http://joschu.net/blog/kl-approx.html. The
        post samples from its q and writes r = p/q, so its k1 = -log r is this one with the names
        exchanged. The post speaks of one draw x; we take x to be the whole response.
    """
    return check_finite(log_ratio, "log ratio")


def k2(log_ratio: ArrayLike) -> Floats:
    """Estimate KL(p || q) by (log p/q)^2 / 2, in nats: biased, never negative.

    Computed on the log ratio of the whole response. Its bias grows with the distance: for two
    normal distributions of unit variance at KL k its mean is k + k^2 / 2.

    Reference:
        Schulman, "Approximating KL Divergence", 2020, http://joschu.net/blog/kl-approx.html (k2).
    """
    return 0.5 * np.square(check_finite(log_ratio, "log ratio"))


def k3(log_ratio: ArrayLike) -> Floats:
    """Estimate KL(p || q) by q/p - 1 - log(q/p), in nats: unbiased, never negative.

    Computed on the log ratio of the whole response, not summed over per-token terms as training
    code often does (there it is a penalty). At large distances q/p of a whole response is
    dominated by rare samples, so that its sample mean falls short: Amini et al. (2025) report
    that the variance of this control variate can explode.

    Raises:
        ValueError: if q/p overflows.

    Reference:
        Schulman, "Approximating KL Divergence", 2020, http://joschu.net/blog/kl-approx.html (k3).
    """
    ratio = check_finite(log_ratio, "log ratio")
    with np.errstate(over="ignore"):
        values = np.expm1(-ratio) + ratio
    return check_finite(values, "k3 (q/p overflows; use k1 or the Rao-Blackwellized estimate)")


def rao_blackwell(logp_NTV: ArrayLike, logq_NTV: ArrayLike, mask_NT: ArrayLike) -> Floats:
    """Rao-Blackwellized KL of each sampled response: sum over t, v of p(v)(log p(v) - log q(v)).

    Unbiased for the sequence KL when the prefixes are samples of p, and never negative. Its
    variance is usually far below that of k1; it need not be, because the terms are conditioned on
    different prefixes: a later conditional KL can make up for an earlier log ratio.

    Args:
        logp_NTV: log-distribution of the next token under the policy, shape (..., T, V), nats;
            minus infinity marks a token that the policy never emits.
        logq_NTV: the same under the reference.
        mask_NT: true on response positions up to and including EOS, shape (..., T).

    Returns:
        Shape (...,), nats per response.

    Raises:
        ValueError: if shapes differ, a distribution does not sum to 1, or p(v) > 0 where q(v) = 0.

    Reference:
        Amini, Vieira, Cotterell, "Better Estimation of the KL Divergence Between Language
        Models", 2025, https://arxiv.org/abs/2504.10637 (the estimator named Rao-Blackwellized;
        read in the abstract and in summaries, the equation number was not verified).
    """
    logp, logq = np.asarray(logp_NTV, np.float64), np.asarray(logq_NTV, np.float64)
    mask: Bools = np.asarray(mask_NT, np.bool_)
    check_same_shape(logp, logq, "logp and logq")
    check_same_shape(logp[..., 0], mask, "logp without its vocabulary axis and mask")
    terms = np.zeros(mask.shape, np.float64)
    terms[mask] = _distribution_kl(logp[mask], logq[mask])
    return np.asarray(terms.sum(axis=-1), np.float64)


def exact_kl_per_prompt(logp_BR: ArrayLike, logq_BR: ArrayLike) -> Floats:
    """Exact KL(p || q) of each prompt, in nats, where every response is enumerated.

    Args:
        logp_BR: log-probability of every response under the policy, nats; minus infinity allowed.
        logq_BR: the same under the reference.

    Returns:
        Shape (B,), nats.

    Raises:
        ValueError: if a row is not a distribution, or p puts mass where q has none.
    """
    logp, logq = np.asarray(logp_BR, np.float64), np.asarray(logq_BR, np.float64)
    check_same_shape(logp, logq, "logp and logq")
    return _distribution_kl(logp, logq)


def clustered_mean(values_BN: ArrayLike) -> Estimate:
    """Mean over prompts of the prompt means, with the standard error over prompts.

    se = sd over prompts of the prompt means / sqrt(B): samples of one prompt are not independent
    draws from the task, so they only enter through their prompt's mean.

    Raises:
        ValueError: if values are not (B, N), or one is NaN or infinite.
    """
    values = check_finite(values_BN, "values")
    if values.ndim != 2:
        raise ValueError(f"values must have shape (prompts, samples), got {values.shape}")
    return _mean_of_prompts(values.mean(axis=1), values.size)


def clustered_mean_ragged(values_R: ArrayLike, prompt_R: ArrayLike) -> Estimate:
    """The same as `clustered_mean` where prompts have different numbers of samples.

    Args:
        values_R: one value per sample.
        prompt_R: the prompt id of each sample.

    Raises:
        ValueError: if shapes differ, or a value is NaN or infinite.
    """
    values = check_finite(values_R, "values")
    groups = group_rows(prompt_R)
    check_same_shape(values, groups.index_R, "values and prompt ids")
    mean_B = np.bincount(groups.index_R, weights=values) / groups.size_B
    return _mean_of_prompts(mean_B, values.size)


def _mean_of_prompts(mean_B: Floats, n_samples: int) -> Estimate:
    n_prompts = mean_B.size
    se = float(mean_B.std(ddof=1) / np.sqrt(n_prompts)) if n_prompts > 1 else None
    return Estimate(float(mean_B.mean()), se, n_prompts, n_samples)


def _distribution_kl(logp: Floats, logq: Floats) -> Floats:
    """KL over the last axis; 0 log 0 = 0."""
    for name, log_probability in (("policy", logp), ("reference", logq)):
        total = np.exp(log_probability).sum(axis=-1)
        if not np.all(np.abs(total - 1.0) <= NORMALIZATION_TOLERANCE):  # also true for NaN
            raise ValueError(f"a distribution of the {name} does not sum to 1")
    present = logp > -np.inf
    if np.any(present & (logq == -np.inf)):
        raise ValueError("the policy puts mass where the reference has none: KL is infinite")
    probability = np.exp(logp)
    ratio = np.where(present, logp, 0.0) - np.where(present, logq, 0.0)
    return np.asarray((probability * ratio).sum(axis=-1), np.float64)
