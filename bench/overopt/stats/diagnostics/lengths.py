"""What length explains of a policy's likelihoods."""

from __future__ import annotations

from numpy.typing import ArrayLike

from overopt.stats.arrays import check_finite, check_same_shape


def length_r2(log_ratio_R: ArrayLike, length_R: ArrayLike) -> float | None:
    """Share of the variance of log pi/pi_ref that a straight line in length explains.

    None where either is constant.

    Reference: Park et al., "Disentangling Length from Quality in Direct Preference Optimization",
        2024, https://arxiv.org/abs/2403.19159, fits implicit rewards by length.
    """
    ratio, length = check_finite(log_ratio_R, "log ratio"), check_finite(length_R, "length")
    check_same_shape(ratio, length, "log ratios and lengths")
    ratio, length = ratio.ravel() - ratio.mean(), length.ravel() - length.mean()
    square = float((ratio @ ratio) * (length @ length))
    return None if square <= 0 else float((ratio @ length) ** 2 / square)
