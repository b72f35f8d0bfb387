"""Control: gold itself as the proxy; what a perfect reward model would do.

Paper: Gao, Schulman and Hilton 2022, "Scaling Laws for Reward Model Overoptimization"
(https://arxiv.org/abs/2210.10760), whose setting it is with the proxy's error taken away.
Optimized against gold itself, gold must rise at least as fast as against any proxy, and must not
fall: where it falls, something other than the proxy's error is at work.
Deviations: it is a control, not a system of the paper.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from overopt.proxies.contract.controls import Seen
from overopt.spec.declare import param

USES_GOLD = "training"


@dataclass(frozen=True)
class Config:
    """Gold has no setting."""

    members: int = param(1, help="rules; a single one", at_least=1, at_most=1)


def judge(config: Config, seen: Seen) -> npt.NDArray[np.float64]:
    """Raw gold (N,).

    Args:
        config: no setting.
        seen: with gold.

    Raises:
        ValueError: there is no gold.
    """
    if seen.gold_N is None:
        raise ValueError("control-gold scores by gold, and was not given it")
    return seen.gold_N
