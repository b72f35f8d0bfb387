"""Combines the scores of proxies into the reward of a system."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from overopt.execution.modules import load_module
from overopt.spec.system import ProxySystemSpec

Floats = npt.NDArray[np.float64]


class System:
    """A reward-side system: combines its members' scores by its own mathematics."""

    def __init__(self, spec: ProxySystemSpec) -> None:
        module = load_module(spec.source)
        self._config = module.Config(**spec.config)
        self._combine = module.combine
        self.members = spec.members

    def combine(self, score_MN: Floats) -> Floats:
        """Reward (N,) from the members' scores (M, N). NaN raises FloatingPointError."""
        reward_N = np.asarray(self._combine(self._config, score_MN), dtype=np.float64)
        if reward_N.shape != score_MN.shape[1:] or not np.isfinite(reward_N).all():
            raise FloatingPointError("the proxy's reward is not one finite number per response")
        return reward_N
