"""Controls: rewards that nobody learned, which every sound world has to put in a known order."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from overopt.proxies.contract import ProxySystem


class Seen(NamedTuple):
    """What a control may know of N responses.

    length_N: tokens of each, its end included.
    draw_N: a standard normal number that belongs to the prompt, the response and the seed of the
        run: the same whenever the same response is scored, and independent of everything else.
    gold_N: raw gold score; None unless the file declares USES_GOLD = "training".
    """

    length_N: npt.NDArray[np.float64]
    draw_N: npt.NDArray[np.float64]
    gold_N: npt.NDArray[np.float64] | None


class Judges(ProxySystem, Protocol):
    """A module that scores responses by a rule; no reward model is trained."""

    def judge(self, config: Any, seen: Seen, /) -> npt.NDArray[np.float64]:
        """Score (N,) of each response, in any unit.

        It is brought to mean 0 and SD 1 under the initial policy, as every score is; where all
        scores are equal there, their SD counts as 1.
        """
        ...
