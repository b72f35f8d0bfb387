"""Particle filters: several answers grow side by side, and those that the proxy likes multiply.

The engine lets N partial answers of the initial policy grow by one step, a block of tokens; has
them scored by the proxy as they stand; draws N of them anew with chances in proportion to
exp(potential); and so on to the last step, where one is drawn and returned. Answers that have ended
stay among them. Two fields of the method's Config are counts from 1: ``particles``, N, and
``steps``, into how many equal blocks of tokens the longest response is cut.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


class ParticleMethod(Protocol):
    """A method that resamples between tokens."""

    def potential(self, config: Any, score_RN: Floats, knob: float, /) -> Floats:
        """Log weight of each of N particles in R runs, (R, N), each from its own score only.

        score_RN: proxy score of the answer as it stands, in SDs of the initial policy. That a
        weight does not depend on the other particles is what the KL of the policy rests on.
        """
        ...
