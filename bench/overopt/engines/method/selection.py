"""An opened method of the selection family."""

from __future__ import annotations

import numpy as np

from overopt.engines.method.opened import Opened
from overopt.methods.contract.selection import Floats, PoolSelection, ScoredPool
from overopt.spec.declare import MethodInput


class OpenedSelection(Opened[PoolSelection]):
    """A method that chooses among samples of the initial policy.

    knows_policy: whether it tells its policy over listed responses.
    is_unbiased: whether it tells weights over a pool under which every mean is unbiased.
    tunes: whether it says by gold of other prompts how far it goes.
    inputs: what it asks for beside scores.
    """

    def __init__(self, functions: PoolSelection, config: object) -> None:
        super().__init__(functions, config)
        self.inputs: frozenset[MethodInput] = frozenset(getattr(functions, "INPUTS", ()))
        self._weights = self._optional("weights")
        self._unbiased_weights = self._optional("unbiased_weights")
        self._draw_size = self._optional("draw_size")
        self._draw_weights = self._optional("draw_weights")
        self._kl_bound_nats = self._optional("kl_bound_nats")
        self._tune = self._optional("tune")
        self.tunes = self._tune is not None
        self.knows_policy = self._weights is not None
        self.is_unbiased = self._unbiased_weights is not None

    def samples_used(self, pool_samples: int, knob: float) -> int:
        """Samples that one response costs."""
        return self._functions.samples_used(self._config, pool_samples, knob)

    def weights(self, pool: ScoredPool, knob: float) -> Floats:
        """Probability of each listed response, (B, N); only where the policy is known."""
        assert self._weights is not None
        return np.asarray(self._weights(self._config, pool, knob), np.float64)

    def unbiased_weights(self, pool: ScoredPool, knob: float) -> Floats:
        """Weights over the samples of a pool, (B, N); only where the method is unbiased."""
        assert self._unbiased_weights is not None
        return np.asarray(self._unbiased_weights(self._config, pool, knob), np.float64)

    def tune(self, pool: ScoredPool, gold_BN: Floats) -> float:
        """The knob beyond which it does not go; only where it tunes itself."""
        assert self._tune is not None
        return float(self._tune(self._config, pool, gold_BN))

    def draw_size(self, knob: float) -> int:
        """Responses of a draw; 0 for a policy without draws."""
        if self._draw_size is None:
            return 0
        size: int = self._draw_size(self._config, knob)
        return size

    def draw_weights(self, draws: ScoredPool, knob: float) -> Floats:
        """Probability that each response of a draw is returned, (D, n)."""
        assert self._draw_weights is not None
        return np.asarray(self._draw_weights(self._config, draws, knob), np.float64)

    def kl_bound_nats(self, knob: float) -> float | None:
        """Analytic upper bound of the KL, nats; None where there is none."""
        return (
            None if self._kl_bound_nats is None else float(self._kl_bound_nats(self._config, knob))
        )
