"""Anchored: the cube of what a score is above the mean of frozen responses.

Paper: none, 2026.
Deviations: none.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from overopt.spec.declare import param


@dataclass(frozen=True)
class Config:
    """Settings."""

    members: int = param(1, help="reward models", at_least=1)
    references: int = param(3, help="frozen responses", at_least=1)


def transform(
    config: Config, score_N: npt.NDArray[np.float64], reference_NJ: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Cube of the difference, (N,)."""
    difference_N = score_N - reference_NJ.mean(axis=1)
    return np.asarray(difference_N**3, np.float64)
