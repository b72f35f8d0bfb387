"""Particle filters: several answers grow side by side, and those that the proxy likes multiply.

The engine lets N partial answers of the initial policy grow by one step, a block of tokens; has
them scored by the proxy as they stand; draws N of them anew with chances in proportion to
exp(potential); and so on to the last step, where one is drawn and returned. Answers that have ended
stay among them. Two fields of the method's Config are counts from 1: ``particles``, N, and
``steps``, into how many equal blocks of tokens the longest response is cut.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


class Grown(NamedTuple):
    """N particles in each of R runs, after a step.

    score_RN: proxy score of each answer as it stands, in SDs of the initial policy.
    step: steps taken, from 1 to ``steps``.
    """

    score_RN: Floats
    step: int
    steps: int


class ParticleMethod(Protocol):
    """A method that resamples between tokens."""

    def potential(self, config: Any, grown: Grown, knob: float, /) -> Floats:
        """Log weight of each particle, (R, N), up to a constant of its run.

        It may depend on all particles of a run, but not on their order, which is what the KL of the
        policy rests on.
        """
        ...
