"""How far two distributions of scores are apart: the maximum mean discrepancy."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from overopt.stats.arrays import Floats, check_finite, check_same_shape


def mean_discrepancy(x_N: ArrayLike, y_N: ArrayLike, width: float) -> float:
    """MMD of two scores of the same samples under the kernel exp(-(a - b)^2 / (2 width^2)).

    MMD^2 = mean over i != j of k(x_i, x_j) + k(y_i, y_j) - k(x_i, y_j) - k(x_j, y_i)

    The mean leaves out i = j, also between x and y, so that it is unbiased for independent samples
    whose two scores depend on each other. MMD is its root; 0 where it is not above 0, which means
    that no difference is seen.

    Args:
        x_N: one score of N samples.
        y_N: another score of the same samples, on the same scale.
        width: of the kernel, in the scores' unit.

    Raises:
        ValueError: shapes differ, there are fewer than 2 samples, the width is not above 0, or a
            score is not finite.

    Reference: Gretton et al. 2012, "A Kernel Two-Sample Test", lemma 6 and the remark on samples
        that come in pairs (from memory), https://jmlr.org/papers/v13/gretton12a.html
    """
    x, y = check_finite(x_N, "scores"), check_finite(y_N, "scores")
    check_same_shape(x, y, "the two scores")
    if x.ndim != 1 or len(x) < 2 or not width > 0.0:
        raise ValueError(
            f"a discrepancy needs 2 samples and a width above 0, got {x.shape}, {width}"
        )

    def pairs(first: Floats, second: Floats) -> float:
        kernel_NN = np.exp(-np.square(first[:, None] - second) / (2.0 * width**2))
        return float(kernel_NN.sum() - np.trace(kernel_NN)) / (len(x) * (len(x) - 1))

    square = pairs(x, x) + pairs(y, y) - 2.0 * pairs(x, y)
    return float(np.sqrt(max(square, 0.0)))


def median_distance(value_N: ArrayLike) -> float:
    """The median distance of two different values, a usual width of a kernel.

    Raises:
        ValueError: there are fewer than 2 values, or the median is 0.
    """
    value = check_finite(value_N, "values")
    apart_P = np.abs(value[:, None] - value)[np.triu_indices(len(value), 1)]
    if not apart_P.size or not np.median(apart_P) > 0.0:
        raise ValueError("a width needs 2 values, most of them different")
    return float(np.median(apart_P))
