"""The selection family: what a method returns, out of what the initial policy says.

A method writes down what its paper knows, in one of four ways, and the engine does the numerics.

``weights``: the policy itself, over listed responses with their probabilities under the initial
policy. The list is a pool of samples, or every response where a world can enumerate them.

``draw_size`` and ``draw_weights``: what happens within one draw of n responses. The engine averages
over draws, because the KL of the method is that of its policy and not that of the weights within a
draw. A method that defines ``weights`` as well has its KL from there, exactly and at once.

A method that declares its use of gold may ``tune`` itself: it says how far it goes, and places
beyond that are out of its reach.

``compose``: a decoding rule, whose policy is sampled (``contract.composition``). ``potential``:
answers that are resampled as they grow (``contract.particles``). Neither reweights a pool.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from overopt.stats.pools.similarity import Singles, mean_cosine

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


class ScoredPool(NamedTuple):
    """Listed responses to each of B prompts, scored by the proxy.

    proxy_BN: in SDs of the initial policy.
    reference_BN: probability under the initial policy; rows sum to 1. Of a pool of samples, 1/N.
    reference_logp_BN: log-probability of each response under the initial policy, nats, if INPUTS
        names ``reference_logp``.
    unit_BNF: F numbers that describe each response, centered on the initial policy's and brought to
        unit length, if INPUTS names ``features``. A draw has what follows from them instead:
    similarity_BN: mean cosine of each response's features with those of all of its draw, its own
        included.
    answer_BN: a number for each final answer, the same for equal answers; -1 where there is none.
        If INPUTS names ``answers``.
    novelty_BN: how badly the method's own predictor foretells what the proxy makes of the response
        (``contract.novelty``), in SDs of the initial policy, if INPUTS names ``novelty``.
    """

    proxy_BN: Floats
    reference_BN: Floats
    reference_logp_BN: Floats | None = None
    unit_BNF: Singles | None = None
    answer_BN: Ints | None = None
    novelty_BN: Floats | None = None
    similarity_BN: Floats | None = None

    def take(self, rows: Ints | Bools) -> ScoredPool:
        """Some of the prompts."""
        return self._map(lambda part: part[rows])

    def draws(self, row_Dn: Ints) -> ScoredPool:
        """D draws of n, by rows b N + i; each of the n stands for 1/n of its draw."""
        drawn = self._replace(unit_BNF=None)._map(lambda part: part.ravel()[row_Dn])
        return drawn._replace(
            reference_BN=np.full(row_Dn.shape, 1.0 / row_Dn.shape[1]),
            similarity_BN=None if self.unit_BNF is None else mean_cosine(self.unit_BNF, row_Dn),
        )

    def _map(self, change: Callable[[npt.NDArray[Any]], npt.NDArray[Any]]) -> ScoredPool:
        """The same with every part that is there changed."""
        return ScoredPool._make(None if part is None else change(part) for part in self)


def samples_of_reference(proxy_BN: Floats) -> ScoredPool:
    """N samples of the initial policy for each of B prompts: each stands for 1/N of it."""
    return ScoredPool(proxy_BN, np.full(proxy_BN.shape, 1.0 / proxy_BN.shape[1]))


class SelectionMethod(Protocol):
    """A method that leaves the weights of the initial policy as they are."""

    __name__: str
    Config: Any


class PoolSelection(SelectionMethod, Protocol):
    """What every method that reweights a pool supplies, besides one of the two ways to do so."""

    def samples_used(self, config: Any, pool_samples: int, knob: float, /) -> int:
        """Samples that one response costs at this knob, out of pools of ``pool_samples``."""
        ...


class KnownPolicy(PoolSelection, Protocol):
    """A method whose policy is known as a function of scores and reference probabilities."""

    def weights(self, config: Any, pool: ScoredPool, knob: float, /) -> Floats:
        """Probability of each listed response under the method, (B, N); every row sums to 1."""
        ...


class DrawingMethod(PoolSelection, Protocol):
    """A method that draws n responses and then returns one of them."""

    def draw_size(self, config: Any, knob: float, /) -> int:
        """n; 0 for a policy without draws, which ``weights`` tells."""
        ...

    def draw_weights(self, config: Any, draws: ScoredPool, knob: float, /) -> Floats:
        """Probability that each of the n drawn responses is returned, (D, n) of D draws."""
        ...


class UnbiasedSelection(KnownPolicy, Protocol):
    """A method that knows weights over a pool of samples under which every mean is unbiased.

    A policy that takes the pool for the initial policy is not: it can draw a sample twice.
    """

    def unbiased_weights(self, config: Any, pool: ScoredPool, knob: float, /) -> Floats:
        """Weights over the samples, (B, N); every row sums to 1."""
        ...


class TunedSelection(KnownPolicy, Protocol):
    """A method that is allowed to see gold of some prompts, USES_GOLD = "selection"."""

    def tune(self, config: Any, pool: ScoredPool, gold_BN: Floats, /) -> float:
        """The knob beyond which it does not go, by gold of the listed responses, in SDs.

        The prompts are others than those for which the answer is used.
        """
        ...


class BoundedSelection(PoolSelection, Protocol):
    """A method with an analytic bound of its KL, which is reported beside the KL."""

    def kl_bound_nats(self, config: Any, knob: float, /) -> float:
        """Upper bound of the KL from the initial policy, in nats."""
        ...
