"""A reward-side system that takes scores against those of frozen responses, opened once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from overopt.engines.method.opened import Opened
from overopt.proxies.contract.anchors import Transforms


class OpenedAnchors(Opened[Transforms]):
    """Transforms a member's scores by its own mathematics."""

    def transform(
        self, score_N: npt.NDArray[np.float64], reference_NJ: npt.NDArray[np.float64]
    ) -> npt.NDArray[np.float64]:
        """What N responses are worth, (N,).

        Raises:
            ValueError: it is not one number for each.
            FloatingPointError: it is not finite.
        """
        made_N = np.asarray(
            self._functions.transform(self._config, score_N, reference_NJ), np.float64
        )
        if made_N.shape != score_N.shape:
            raise ValueError(
                f"{self.name}: transform returns shape {made_N.shape} for {len(score_N)} "
                "responses; it must be one number for each"
            )
        if not np.isfinite(made_N).all():
            raise FloatingPointError(f"{self.name}: transform returns NaN or infinity")
        return made_N
