"""What every measure asks of its input: finite numbers, and rows that know their prompt."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


class Groups(NamedTuple):
    """Which prompt each row of a ragged table belongs to.

    Attributes:
        prompt_B: distinct prompt ids, sorted.
        index_R: position of each row's prompt in prompt_B.
        size_B: rows per prompt.
    """

    prompt_B: NDArray[np.generic]
    index_R: Ints
    size_B: Ints


def check_finite(values: ArrayLike, name: str) -> Floats:
    """Return values as float64, refusing an empty array and any NaN or infinity.

    Raises:
        ValueError: if there is no value, or one that is not finite.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.size == 0:
        raise ValueError(f"{name} is empty")
    bad = int(np.count_nonzero(~np.isfinite(array)))
    if bad:
        raise ValueError(f"{name} has {bad} of {array.size} values that are NaN or infinite")
    return array


def check_same_shape(first: NDArray[np.generic], second: NDArray[np.generic], names: str) -> None:
    """Refuse two arrays whose shapes differ; nothing here broadcasts by accident.

    Raises:
        ValueError: if the shapes differ.
    """
    if first.shape != second.shape:
        raise ValueError(f"{names} differ in shape: {first.shape} and {second.shape}")


def distance_from_kl(kl_nats: ArrayLike) -> Floats:
    """d = sqrt(KL), in sqrt(nats).

    Raises:
        ValueError: if a KL is negative, which an unbiased estimator such as k1 can produce.
    """
    kl = check_finite(kl_nats, "KL")
    if np.any(kl < 0):
        raise ValueError(f"KL is negative ({kl.min():.3g} nats): d = sqrt(KL) does not exist")
    return np.sqrt(kl)


def check_distance(d: ArrayLike) -> Floats:
    """Return d as float64, refusing negative, NaN and infinite values."""
    distance = check_finite(d, "d")
    if np.any(distance < 0):
        raise ValueError("d = sqrt(KL) must be at least 0")
    return distance


def group_rows(prompt_R: ArrayLike) -> Groups:
    """Group rows by prompt id; the result does not depend on the order of prompts.

    Raises:
        ValueError: if there is no row, or the ids are not one-dimensional.
    """
    prompts = np.asarray(prompt_R)
    if prompts.ndim != 1 or prompts.size == 0:
        raise ValueError(f"prompt ids must be a non-empty vector, got shape {prompts.shape}")
    prompt_B, index_R, size_B = np.unique(prompts, return_inverse=True, return_counts=True)
    return Groups(prompt_B, index_R.astype(np.int64), size_B.astype(np.int64))
