"""A reward-side system as its adversary sees it, opened once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from overopt.engines.proxy import OpenedProxy, SystemConfig
from overopt.proxies.contract import ProxySystem

Floats = npt.NDArray[np.float64]


class OpenedAttack(OpenedProxy):
    """Combines the scores of plain members to what an adversary is after."""

    def __init__(self, functions: ProxySystem, config: SystemConfig) -> None:
        super().__init__(functions, config)
        self._combine = self._optional("attack")
        self._pick = self._optional("pick")

    def pick(self, attack_MN: Floats, initial_MN: Floats) -> npt.NDArray[np.bool_]:
        """Which adversarial responses are added to the data, (N,).

        Raises:
            ValueError: it is no mask of them.
        """
        assert self._pick is not None
        mask_N = np.asarray(self._pick(self._config, attack_MN, initial_MN))
        if mask_N.dtype != np.bool_ or mask_N.shape != attack_MN.shape[1:]:
            raise ValueError(
                f"{self.name}: pick returns {mask_N.dtype} of shape {mask_N.shape} for "
                f"{attack_MN.shape[1]} responses; it must be bool, one for each"
            )
        return mask_N
