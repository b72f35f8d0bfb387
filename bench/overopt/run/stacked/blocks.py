"""Which seeds are trained together in a stack."""

from __future__ import annotations

from collections.abc import Sequence

WIDTH = 8
"""Places of a stack. It is in the key, and a stack of fewer cells is filled up with dummies."""


def blocks(seeds: Sequence[int]) -> dict[int, tuple[int, ...]]:
    """For each seed, those that it shares a stack with: eights in the order of the run's seeds."""
    starts = range(0, len(seeds), WIDTH)
    return {
        seed: tuple(seeds[start : start + WIDTH])
        for start in starts
        for seed in seeds[start : start + WIDTH]
    }
