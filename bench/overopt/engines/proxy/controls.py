"""A reward-side system that scores by a rule, opened once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from overopt.engines.method.opened import Opened
from overopt.proxies.contract.controls import Judges, Seen


class OpenedControl(Opened[Judges]):
    """Scores responses by its own rule."""

    def judge(self, seen: Seen) -> npt.NDArray[np.float64]:
        """Score (N,) of each response.

        Raises:
            ValueError: it is not one number for each.
            FloatingPointError: it is not finite.
        """
        score_N = np.asarray(self._functions.judge(self._config, seen), np.float64)
        if score_N.shape != seen.length_N.shape:
            raise ValueError(
                f"{self.name}: judge returns shape {score_N.shape} for {len(seen.length_N)} "
                "responses; it must be one number for each"
            )
        if not np.isfinite(score_N).all():
            raise FloatingPointError(f"{self.name}: judge returns NaN or infinity")
        return score_N
