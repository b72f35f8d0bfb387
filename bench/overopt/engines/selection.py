"""What a selection method does to a pool: its policy, its weights over samples, and its KL.

Which of a method's functions answers which question is decided here and nowhere else (see
``methods.contract.selection`` for what they are).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from overopt.engines.method.selection import OpenedSelection
from overopt.engines.walk.placing import Place, midpoints, place, place_whole, rising_part
from overopt.methods.contract.selection import ScoredPool
from overopt.spec.declare import Knob
from overopt.stats.arrays import Ints
from overopt.stats.pools.draws import ROUNDS, Choose, marginal_kl, mean_choice
from overopt.stats.pools.listed import effective_samples, kl_listed

Floats = npt.NDArray[np.float64]

SMALLEST_ESS = 10.0
"""Effective samples per prompt below which self-normalized weights are not trusted."""

_NUMBERS_AT_ONCE = 2**17
"""Numbers of a part of the draws, a megabyte: more of them would leave the second cache."""

_PLACING_ROUNDS = 4
"""Rounds of draws behind a KL that only looks for a budget; one that is measured has `ROUNDS`."""


class Limits(NamedTuple):
    """How far a method goes for each prompt: its knob, as gold of other prompts has it.

    knob_B: the furthest value for each prompt. raises_kl: whether a larger one means more KL.
    """

    knob_B: Floats
    raises_kl: bool

    @property
    def furthest(self) -> float:
        """The value beyond which no prompt's policy changes."""
        return float(self.knob_B.max() if self.raises_kl else self.knob_B.min())

    def used(self, knob: float) -> Floats:
        """The value that each prompt's policy has when this one is asked for, (B,)."""
        return np.asarray((np.minimum if self.raises_kl else np.maximum)(knob, self.knob_B))

    def apply(
        self, function: Callable[[ScoredPool, float], Floats], scored: ScoredPool, knob: float
    ) -> Floats:
        """What a function of a pool returns (B, N), no prompt's knob being beyond its limit."""
        used_B = self.used(knob)
        found_BN = np.empty_like(scored.proxy_BN)
        for value in np.unique(used_B):
            rows = used_B == value
            part = scored.take(rows)
            found_BN[rows] = function(part, float(value))
        return found_BN


def tuned(method: OpenedSelection, knob: Knob, scored: ScoredPool, gold_BN: Floats) -> Limits:
    """How far a method goes that tunes itself by gold: each half of the prompts by the other.

    Prompts of even and of odd number are the halves. So gold of a prompt has no part in the policy
    that is measured on it, and every prompt is measured.

    Args:
        method: opened.
        knob: its knob; what it answers is brought into the knob's range.
        scored: listed responses to B prompts.
        gold_BN: their gold, in SDs.

    Raises:
        ValueError: there is only one prompt, or the answer is no number.
    """
    prompts = len(gold_BN)
    if prompts < 2:
        raise ValueError("a method is tuned on other prompts than it is measured on: there is one")
    odd_B = np.arange(prompts) % 2 == 1
    knob_B = np.empty(prompts)
    for rows in (odd_B, ~odd_B):
        others = scored.take(~rows)
        found = method.tune(others, gold_BN[~rows])
        if not np.isfinite(found):
            raise ValueError(f"{method.name} tunes itself to {found}")
        knob_B[rows] = min(max(found, knob.low), knob.high)
    if knob.whole:  # the last whole number that is not beyond
        knob_B = np.floor(knob_B) if knob.raises_kl else np.ceil(knob_B)
    return Limits(knob_B, knob.raises_kl)


class Selection:
    """What an opened selection method does to a pool.

    Args:
        method: opened.
        generator: makes the generator of what is averaged over draws; every call starts it anew,
            so that a KL is a smooth function of the knob.
        limits: beyond which the method does not go, for each prompt; None where it goes anywhere.
    """

    def __init__(
        self,
        method: OpenedSelection,
        generator: Callable[[], np.random.Generator],
        limits: Limits | None = None,
    ) -> None:
        self.method = method
        self._generator = generator
        self.limits = limits
        self._last: tuple[ScoredPool, float, Floats] | None = None  # its KL and its trust ask alike

    def limited(self, limits: Limits) -> Selection:
        """The same method, which goes no further than this."""
        return Selection(self.method, self._generator, limits)

    @property
    def knows_policy(self) -> bool:
        """Whether the method tells its policy over listed responses."""
        return self.method.knows_policy

    def policy(self, listed: ScoredPool, knob: float) -> Floats:
        """Probability of each listed response, (B, R); only where the policy is known."""
        if self._last is not None and self._last[0] is listed and self._last[1] == knob:
            return self._last[2]
        if self.limits is None:
            found = self.method.weights(listed, knob)
        else:
            found = self.limits.apply(self.method.weights, listed, knob)
        self._last = listed, knob, found
        return found

    def weights(self, pool: ScoredPool, knob: float) -> Floats:
        """Weights over a pool of samples, (B, N), for the mean of anything.

        Unbiased where the method has a formula for that, or draws n of the pool; else the policy
        that takes the pool for the initial policy, self-normalized.
        """
        if self.method.is_unbiased:
            if self.limits is None:
                return self.method.unbiased_weights(pool, knob)
            return self.limits.apply(self.method.unbiased_weights, pool, knob)
        size = self.method.draw_size(knob)
        if size:
            choose, (prompts, samples) = self._choice(pool, knob), pool.proxy_BN.shape
            return mean_choice(choose, prompts, samples, size, self._generator())
        return self.policy(pool, knob)

    def kl(self, pool: ScoredPool, knob: float, rounds: int = ROUNDS) -> Floats:
        """KL (B,) of the policy from the initial policy, in nats, the pool standing for it.

        A policy that is known by its draws only is averaged over so many rounds of them.
        """
        if self.knows_policy:
            return kl_listed(self.policy(pool, knob), pool.reference_BN)
        choose, (prompts, samples) = self._choice(pool, knob), pool.proxy_BN.shape
        size = self.method.draw_size(knob)
        return marginal_kl(choose, prompts, samples, size, self._generator(), rounds).kl_B

    def trusts(self, pool: ScoredPool, knob: float) -> bool:
        """Whether the pool can say what the method does at this knob.

        It has to hold all samples of a response. Self-normalized weights are biased as well, and
        are trusted while they rest on ``SMALLEST_ESS`` samples.
        """
        samples = pool.proxy_BN.shape[1]
        if self.samples_used(samples, knob) > samples:
            return False
        if self.method.is_unbiased or self.method.draw_size(knob):
            return True
        return effective_samples(self.weights(pool, knob)) >= SMALLEST_ESS

    def samples_used(self, pool_samples: int, knob: float) -> int:
        """Samples that one response costs, at most."""
        return int(self.method.samples_used(pool_samples, knob))

    def samples_drawn(self, pool: ScoredPool, knob: float) -> int:
        """Samples that one response to every prompt costs."""
        prompts, samples = pool.proxy_BN.shape
        used_B = np.full(prompts, knob) if self.limits is None else self.limits.used(knob)
        value_U, count_U = np.unique(used_B, return_counts=True)
        return sum(
            int(count) * self.samples_used(samples, float(value))
            for value, count in zip(value_U, count_U, strict=True)
        )

    def kl_bound_nats(self, knob: float) -> float | None:
        """Analytic upper bound of the KL, nats; None where there is none."""
        return self.method.kl_bound_nats(knob)

    def _choice(self, pool: ScoredPool, knob: float) -> Choose:
        """What the method does inside a draw, from rows of the flat pool."""

        def choose(drawn_Dn: Ints) -> Floats:
            # a draw is a world of its own: some at a time, whose parts stay in the cache
            step = max(1, _NUMBERS_AT_ONCE // drawn_Dn.shape[1])
            parts = [
                self.method.draw_weights(pool.draws(drawn_Dn[start : start + step]), knob)
                for start in range(0, len(drawn_Dn), step)
            ]
            return np.concatenate(parts)

        return choose


def find_places(
    selection: Selection,
    knob: Knob,
    kl_grid_nats: list[float],
    pool: ScoredPool,
    listed: ScoredPool | None,
) -> list[Place]:
    """Places that meet the budgets, and finer ones between them, by the KL of the policy.

    Args:
        selection: the method.
        knob: its knob.
        kl_grid_nats: the budgets.
        pool: samples of the initial policy.
        listed: every response where the world lists them: the KL is then exact, and out of the
            pool's reach is nothing but what needs more samples than it holds.

    Where KL falls again along the knob, budgets are met before its peak. A method that does not go
    beyond some value has a place there as well, and so have the values that a knob names itself.
    """
    exact = listed if selection.knows_policy else None
    limits = selection.limits
    if limits is not None:
        knob = knob.model_copy(update={"high" if knob.raises_kl else "low": limits.furthest})

    def kl_of(value: float) -> float:
        if exact is None:
            return float(selection.kl(pool, value, _PLACING_ROUNDS).mean())
        return float(kl_listed(selection.policy(exact, value), exact.reference_BN).mean())

    @cache
    def trusted(value: float) -> bool:
        if exact is None:
            return selection.trusts(pool, value)
        pool_samples = int(pool.proxy_BN.shape[1])
        return selection.samples_used(pool_samples, value) <= pool_samples

    finer = midpoints(kl_grid_nats)
    if knob.whole:
        places = place_whole(kl_of, knob, kl_grid_nats, finer, trusted)
    else:
        rising = rising_part(kl_of, knob)
        places = place(kl_of, rising, kl_grid_nats, finer, 1e-6, trusted)
    met = {one.knob_value for one in places}
    beside = [*knob.also, *([] if limits is None else [limits.furthest])]
    return [*places, *(Place(None, one) for one in beside if one not in met and trusted(one))]
