"""Which n a best-of-n curve is computed at, and which of them are fitted."""

import numpy as np

from overopt.stats.arrays import Ints

EVERY_N_UP_TO = 64  # small pools get every n, so that any n of interest is on their curve
DENSE_UP_TO = 16
PER_DOUBLING = 8  # points of the curve beyond that
FITTED_PER_DOUBLING = 2


def curve_grid(largest: int) -> Ints:
    """n of the curve: every n up to 64 at most, else every n up to 16, 8 per doubling, the end."""
    if largest < 1:
        raise ValueError(f"the largest n must be at least 1, got {largest}")
    if largest <= EVERY_N_UP_TO:
        return np.arange(1, largest + 1, dtype=np.int64)
    dense = np.arange(1, DENSE_UP_TO + 1, dtype=np.int64)
    return np.union1d(dense, _geometric(largest, PER_DOUBLING))


def fit_grid(largest: int) -> Ints:
    """n that are fitted: two per doubling (1, 2, 3, 4, 6, 8, 11, 16, 23, ...) and the end.

    Every doubling of n weighs the same, whatever the density of the curve.
    """
    if largest < 1:
        raise ValueError(f"the largest n must be at least 1, got {largest}")
    return _geometric(largest, FITTED_PER_DOUBLING)


def _geometric(largest: int, per_doubling: int) -> Ints:
    """1, the rounded powers of 2^(1/per_doubling) below `largest`, and `largest`."""
    exponents = np.arange(per_doubling * largest.bit_length()) / per_doubling
    powers = np.rint(2.0**exponents).astype(np.int64)
    return np.unique(np.append(powers[powers < largest], largest)).astype(np.int64)
