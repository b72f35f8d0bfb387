"""Routed: gold labels the last pairs, as many as it may.

Paper: none, 2026.
Deviations: none.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from overopt.proxies.contract.labels import PairTags
from overopt.spec.declare import param

USES_GOLD = "training"


@dataclass(frozen=True)
class Config:
    """Settings."""

    members: int = param(1, help="reward models", at_least=1)
    budget: float = param(0.25, help="share of the pairs that gold may label", at_least=0.0)
    trials: int = param(6, help="mixes that are tried", at_least=1)


def route(config: Config, features: PairTags, budget: int) -> npt.NDArray[np.bool_]:
    """The last pairs; what is handed over is checked on the way."""
    pairs, tags = features.tag_PF.shape
    assert features.trial_count_KF.shape == (len(features.trial_score_K), tags)
    assert ((features.trial_score_K >= 0) & (features.trial_score_K <= 1)).all()
    mask_P = np.arange(pairs) >= pairs - budget
    return np.asarray(mask_P, np.bool_)
