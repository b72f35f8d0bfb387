"""A system whose members' scores are taken against those of frozen responses to the same prompt."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from overopt.proxies.contract import ProxySystem


class Transforms(ProxySystem, Protocol):
    """A module that transforms a member's scores before they are combined.

    Its ``Config`` has ``references``, J: how many responses of the initial policy, drawn once for
    each prompt and seed, a response is taken against.
    """

    def transform(
        self,
        config: Any,
        score_N: npt.NDArray[np.float64],
        reference_NJ: npt.NDArray[np.float64],
        /,
    ) -> npt.NDArray[np.float64]:
        """What N responses are worth, (N,), by one member.

        Args:
            config: the system's settings.
            score_N: raw scores, whose differences are log-odds of a preference.
            reference_NJ: those of the J frozen responses to the prompt of each.

        The result is brought to mean 0 and SD 1 under the initial policy, as every score is.
        """
        ...
