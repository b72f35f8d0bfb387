"""How far a sample lies outside of a cloud, by Mahalanobis distance."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import chi2

from overopt.stats.arrays import Floats, check_finite

RIDGE = 1e-3
"""Added to the variance of every dimension, as the authors' code does."""

LEVEL = 0.01
"""A sample with a p-value below it is an outlier."""


def outlier_p_values(usual_ND: ArrayLike, sample_MD: ArrayLike, ridge: float = RIDGE) -> Floats:
    """P-value (M,) of each sample under the normal distribution of the usual ones.

    p = 1 - chi2_D(d2),   d2 = (h - mu)' (S + ridge I)^-1 (h - mu)

    Args:
        usual_ND: N vectors that are as they should be; mean and covariance (N - 1) are theirs.
        sample_MD: M vectors to be judged.
        ridge: keeps S invertible.

    Raises:
        ValueError: shapes do not fit, there are fewer than 2 usual vectors, or a value is not
            finite.

    Reference: Miao et al., "Information-Theoretic Reward Modeling for Stable RLHF: Detecting and
        Mitigating Reward Hacking", 2025, https://arxiv.org/abs/2510.13694, as
        ``compute_hacking_pvalues`` of its released code computes it.
    """
    usual, sample = check_finite(usual_ND, "usual vectors"), check_finite(sample_MD, "samples")
    if usual.ndim != 2 or sample.ndim != 2 or usual.shape[1] != sample.shape[1]:
        raise ValueError(f"vectors must be rows of one length, got {usual.shape}, {sample.shape}")
    if len(usual) < 2:
        raise ValueError("a cloud has at least 2 vectors")
    covariance = np.atleast_2d(np.cov(usual, rowvar=False)) + ridge * np.eye(usual.shape[1])
    off_MD = sample - usual.mean(axis=0)
    distance_M = (off_MD * np.linalg.solve(covariance, off_MD.T).T).sum(axis=1)
    return np.asarray(chi2.sf(distance_M, usual.shape[1]), np.float64)


def spread_of(score_MN: ArrayLike) -> Floats:
    """SD over M members (with M - 1) of each of N samples, (N,).

    Raises:
        ValueError: there are fewer than 2 members, or a score is not finite.
    """
    score = check_finite(score_MN, "scores")
    if score.ndim != 2 or len(score) < 2:
        raise ValueError(f"a spread needs scores of at least 2 members, got {score.shape}")
    return np.asarray(score.std(axis=0, ddof=1), np.float64)
