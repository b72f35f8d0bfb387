"""A reward-side system opened once: the combination of its members' scores."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

from overopt.engines.method.opened import Opened
from overopt.errors import UserError
from overopt.proxies.contract import ProxySystem
from overopt.proxies.contract.refits import Refit


class SystemConfig(Protocol):
    """The field that every system's ``Config`` has."""

    @property
    def members(self) -> int:
        """How many reward models are combined."""
        ...


class OpenedProxy(Opened[ProxySystem]):
    """Combines its members' scores by its own mathematics.

    members: how many score: one where they are merged.
    """

    def __init__(self, functions: ProxySystem, config: SystemConfig) -> None:
        super().__init__(functions, config)
        self.members = config.members if self._optional("merge") is None else 1
        self._combine = self._optional("combine")
        self._refit = self._optional("refit")

    def refit(self) -> Refit:
        """When and how its members are trained again; only where it says so.

        Raises:
            UserError: a number is not a count from 1.
        """
        assert self._refit is not None
        found: Refit = self._refit(self._config)
        if not all(isinstance(number, int) and number >= 1 for number in found):
            raise UserError(f"{self.name}: refit returns {found}; all of it are counts from 1.")
        return found

    def combine(self, score_MN: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Reward (N,) from the members' scores (M, N).

        Raises:
            FloatingPointError: it is not one finite number per response.
        """
        reward_N = self.combine_unchecked(score_MN)
        if reward_N.shape != score_MN.shape[1:] or not np.isfinite(reward_N).all():
            raise FloatingPointError("the proxy's reward is not one finite number per response")
        return reward_N

    def combine_unchecked(self, score_MN: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Whatever the system makes of the members' scores, their mean by default, as an array."""
        if self._combine is None:
            return np.asarray(score_MN.mean(axis=0), dtype=np.float64)
        combined = np.asarray(self._combine(self._config, score_MN))
        if combined.dtype.kind not in "fiub":
            raise TypeError(f"{self.name}: combine returns {combined.dtype}, not real numbers")
        return np.array(combined, dtype=np.float64, order="C")
