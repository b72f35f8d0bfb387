"""A reward-side system that scores steps, opened once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from overopt.engines.method.opened import Opened
from overopt.proxies.contract.steps import ReducesSteps


class OpenedSteps(Opened[ReducesSteps]):
    """Makes one score of a response's steps by its own mathematics."""

    def reduce(
        self, step_NT: npt.NDArray[np.float64], mask_NT: npt.NDArray[np.bool_]
    ) -> npt.NDArray[np.float64]:
        """Score (N,) of N responses; what stands where no step ends is not shown to the system.

        Raises:
            ValueError: a response has no step, or the result is not one number for each.
            FloatingPointError: it is not finite.
        """
        if not mask_NT.any(axis=1).all():
            raise ValueError("a response without any step has no score")
        shown_NT = np.where(mask_NT, step_NT, 0.0)
        score_N = np.asarray(self._functions.reduce(self._config, shown_NT, mask_NT), np.float64)
        if score_N.shape != mask_NT.shape[:1]:
            raise ValueError(
                f"{self.name}: reduce returns shape {score_N.shape} for {len(mask_NT)} responses; "
                "it must be one number for each"
            )
        if not np.isfinite(score_N).all():
            raise FloatingPointError(f"{self.name}: reduce returns NaN or infinity")
        return score_N
