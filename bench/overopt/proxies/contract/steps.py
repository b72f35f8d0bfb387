"""What a reward-side system that scores steps supplies.

A system with ``STEP_SCORES = True`` has members that say of every step whether it is right, and
makes one reward of what they say. They learn from gold's opinion of each step, which its file
declares, ``LABELS = ("steps",)``: more than which of two responses is the better one.
    reduce(config, step_NT, mask_NT) -> score_N: pure.
Each member's reduced scores are then recentered and scaled, and combined, as those of every system.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from overopt.proxies.contract import ProxySystem


class ReducesSteps(ProxySystem, Protocol):
    """A module that makes one score of a response's steps."""

    def reduce(
        self, config: Any, step_NT: npt.NDArray[np.float64], mask_NT: npt.NDArray[np.bool_], /
    ) -> npt.NDArray[np.float64]:
        """One score (N,) for each of N responses of at most T tokens.

        Args:
            config: the system's settings.
            step_NT: log-odds, nats, that the step which ends at this token is right; 0 elsewhere.
            mask_NT: True where a step ends; at least once in every row.
        """
        ...
