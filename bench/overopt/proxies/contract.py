"""What a reward-side system supplies: how the scores of its members become one reward.

A system is a module named after it, with literals that the catalog reads without importing it:
    Config: a frozen dataclass of ``spec.param`` fields, among them ``members``: how many reward
        models it combines (same data, different seeds).
    combine(config, score_MN) -> score_N: pure; score_MN holds each member's scores, recentered and
        scaled to mean 0 and SD 1 under the initial policy.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt


class ProxySystem(Protocol):
    """The functions of a proxy module."""

    __name__: str
    Config: Any

    def combine(self, config: Any, score_MN: npt.NDArray[np.float64], /) -> npt.NDArray[np.float64]:
        """One reward for each of N responses from the scores of M members."""
        ...
