"""Fooled: takes what the first model scores above the initial policy's response.

Paper: none, 2026.
Deviations: none.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from overopt.spec.declare import param

ATTACKER = "rloo"


@dataclass(frozen=True)
class Config:
    """Settings."""

    members: int = param(1, help="reward models", at_least=1)


def attack(config: Config, score_MN: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The first model's score less the second's."""
    return np.asarray(score_MN[0] - score_MN[1], np.float64)


def pick(
    config: Config, attack_MN: npt.NDArray[np.float64], initial_MN: npt.NDArray[np.float64]
) -> npt.NDArray[np.bool_]:
    """Those that it scores higher."""
    return np.asarray(attack_MN[0] > initial_MN[0], np.bool_)
