"""Random generators that depend on the run's seed and on what they are used for, nothing else."""

from __future__ import annotations

import zlib

import numpy as np
import torch


def _entropy(seed: int, labels: tuple[str | int, ...]) -> list[int]:
    """Whole numbers for a SeedSequence; their count stands last, because it ignores final zeros."""
    numbers = [x if isinstance(x, int) else zlib.crc32(x.encode()) for x in labels]
    return [seed, *numbers, 1 + len(numbers)]


def numpy_rng(seed: int, *labels: str | int) -> np.random.Generator:
    """Generator for one use, such as ``numpy_rng(seed, "labels")``.

    Different labels give independent streams, so that adding a draw in one place moves no other.
    """
    return np.random.default_rng(np.random.SeedSequence(_entropy(seed, labels)))


def derived_seed(seed: int, *labels: str | int) -> int:
    """A 63-bit seed for one use, from the same derivation as ``numpy_rng``."""
    state = np.random.SeedSequence(_entropy(seed, labels)).generate_state(1, np.uint64)
    return int(state[0] >> np.uint64(1))


def torch_rng(seed: int, *labels: str | int) -> torch.Generator:
    """The torch generator for one use; see ``numpy_rng``."""
    generator = torch.Generator()
    generator.manual_seed(derived_seed(seed, *labels))
    return generator
