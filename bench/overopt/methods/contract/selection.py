"""The selection family: weights over samples of the initial policy."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt


class ScoredPool(NamedTuple):
    """N samples of the initial policy for each of B prompts, scored by the proxy.

    proxy_BN: float64, in SDs of the initial policy.
    """

    proxy_BN: npt.NDArray[np.float64]


class SelectionMethod(Protocol):
    """The functions of a method that reweights samples of the initial policy."""

    __name__: str
    Config: Any

    def weights(self, config: Any, pool: ScoredPool, knob: float, /) -> npt.NDArray[np.float64]:
        """Probability of each sample, shape (B, N); every row sums to 1."""
        ...

    def samples_used(self, config: Any, pool_samples: int, knob: float, /) -> int:
        """Samples that one response costs at this knob, out of pools of ``pool_samples``."""
        ...


class AnalyticSelection(SelectionMethod, Protocol):
    """A selection method whose KL is known without looking at a pool."""

    def kl_bound_nats(self, config: Any, knob: float, /) -> float:
        """Analytic upper bound of the KL from the initial policy, in nats."""
        ...

    def knob_for_kl(self, config: Any, kl_nats: float, /) -> float:
        """The knob that is expected to meet a KL budget in nats."""
        ...
