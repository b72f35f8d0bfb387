"""Keeps the policies that a run passes through as it walks away from its start in KL.

A run meets its budgets in order. Where measuring KL costs samples, ``KLWalk.due`` says after which
steps it is worth it: every step at first, later at most a quarter of the run so far apart, and
close together just before a budget, as extrapolated from the last two measurements in sqrt(KL),
which grows about linearly in the steps of a small learning rate. Where two measurements still lie
on both sides of a budget and neither is close to it, the policies of the steps between them, which
were kept for that, are bisected.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, Protocol

from torch import Tensor

from overopt.engines.walk.trajectory import Compute, Snapshot

EARLY_FRACTIONS = (0.25, 0.5, 0.75)
"""Where extra snapshots lie on the way to the first budget, as fractions of its sqrt(KL)."""

CLOSE = 0.03
"""A policy within this fraction of a mark's sqrt(KL) is close enough: no other is looked for.

A budget counts as met within 10 %; the rest of that is for the error of the cheap estimate.
"""

BETWEEN_BYTES = 2**28
"""Most memory for the policies of steps between two measurements: all of them for small models,
fewer or none for large ones, whose budgets then rest on the measurements alone."""

LARGEST_GAP = 0.25
"""Longest wait for the next KL measurement, as a fraction of the steps taken so far."""


class Mark(NamedTuple):
    """A KL at which a snapshot is wanted; ``is_budget`` is false for the extra, early ones."""

    kl_nats: float
    is_budget: bool


class Weighted(Protocol):
    """Whatever has weights by name: a model, or one whose weights are gathered when asked for."""

    def state_dict(self) -> Mapping[str, Any]:
        """The weights."""
        ...


class Passed(NamedTuple):
    """The policy of a step after which KL was not measured."""

    step: int
    compute: Compute
    state: Mapping[str, Tensor]


class WalkMemory(NamedTuple):
    """What a ``KLWalk`` knows between two steps.

    passed: marks behind it. next_check: step of the next measurement. last: the policy measured
    last, which may yet turn out to be the nearest to a mark. kept: the snapshots so far. between:
    policies of steps since the last measurement.
    """

    passed: int
    next_check: int
    last: Snapshot | None
    kept: tuple[Snapshot, ...]
    between: tuple[Passed, ...]


class KLWalk:
    """Decides, as a run goes on, when to measure KL and which policies to keep.

    Args:
        budgets_nats: KL budgets, positive and rising; none means that only the final policy,
            after ``max_steps``, is wanted.
        max_steps: gradient steps after which the run ends at the latest; that policy is kept.
        measure: KL in nats of the policy with these weights, for the steps between measurements;
            without it, they are not looked at.
    """

    def __init__(
        self,
        budgets_nats: Sequence[float],
        max_steps: int,
        measure: Callable[[Mapping[str, Tensor]], float] | None = None,
    ) -> None:
        rises = all(a < b for a, b in itertools.pairwise(budgets_nats))
        if not rises or any(budget <= 0 for budget in budgets_nats):
            raise ValueError(f"KL budgets must be positive and rising, got {list(budgets_nats)}")
        early = [f * f * budgets_nats[0] for f in EARLY_FRACTIONS] if budgets_nats else []
        self._marks = [Mark(kl, False) for kl in early] + [Mark(kl, True) for kl in budgets_nats]
        self._passed = 0
        self._max_steps = max_steps
        self._next_check = 1
        self._last: Snapshot | None = None
        self._kept: dict[int, Snapshot] = {}
        self._measure = measure
        self._between: list[Passed] = []

    @property
    def finished(self) -> bool:
        """Whether the last budget has been crossed; never true of a run without budgets."""
        return bool(self._marks) and self._passed == len(self._marks)

    @property
    def snapshots(self) -> tuple[Snapshot, ...]:
        """The policies kept so far, in the order of their steps."""
        return tuple(self._kept[step] for step in sorted(self._kept))

    @property
    def memory(self) -> WalkMemory:
        """All that has been noted so far, for a run that is to be continued elsewhere."""
        between = tuple(self._between)
        return WalkMemory(self._passed, self._next_check, self._last, self.snapshots, between)

    def recall(self, memory: WalkMemory) -> None:
        """Go on where another walk with the same budgets stood."""
        self._passed, self._next_check, self._last, kept, between = memory
        self._kept = {snapshot.step: snapshot for snapshot in kept}
        self._between = list(between)

    @property
    def unreached_nats(self) -> tuple[float, ...]:
        """Budgets not crossed so far."""
        return tuple(mark.kl_nats for mark in self._marks[self._passed :] if mark.is_budget)

    def fraction(self, step: int) -> float:
        """Fraction of the run that is done, by steps or by sqrt(KL), whichever is further."""
        by_steps = step / self._max_steps
        if not self._marks or self._last is None:
            return by_steps
        by_kl = math.sqrt(max(self._last.kl_nats, 0.0) / self._marks[-1].kl_nats)
        return min(1.0, max(by_steps, by_kl))

    def due(self, step: int) -> bool:
        """Whether KL is to be measured after ``step`` gradient steps."""
        wanted = bool(self._marks) and not self.finished and step >= self._next_check
        return wanted or step == self._max_steps

    def pass_by(self, step: int, compute: Compute, policy: Weighted) -> None:
        """Keep the policy of a step after which KL is not measured, as far as memory allows."""
        if self._measure is None or not self._marks or self.finished:
            return
        size = sum(value.nbytes for value in policy.state_dict().values())
        if size > BETWEEN_BYTES:
            return
        if (len(self._between) + 1) * size > BETWEEN_BYTES:
            del self._between[::2]
        self._between.append(Passed(step, compute, _copy(policy)))

    def observe(self, step: int, kl_nats: float, compute: Compute, policy: Weighted) -> None:
        """Take note of a measurement and keep the policy where it is the nearest to a mark.

        A mark is passed by the first measurement at or above it; it gets that policy, the one
        measured before, or one of a step between them, whichever has the nearest sqrt(KL). The
        start itself is never kept.

        Args:
            step: gradient steps taken so far.
            kl_nats: the estimate now.
            compute: spent so far.
            policy: its weights are copied.

        Raises:
            FloatingPointError: if the estimate is not finite.
        """
        if not math.isfinite(kl_nats):
            raise FloatingPointError(f"the KL estimate after step {step} is {kl_nats}")
        if step == 0:
            return
        before = self._last
        now = Snapshot(step, kl_nats, (), compute, _copy(policy))
        while self._passed < len(self._marks) and self._marks[self._passed].kl_nats <= kl_nats:
            mark = self._marks[self._passed]
            self._keep(self._nearest(before, now, mark), mark)
            self._passed += 1
        self._between.clear()
        if step == self._max_steps:
            self._kept.setdefault(step, now)
        self._next_check = step + self._stride(before, now)
        self._last = now

    def _nearest(self, before: Snapshot | None, now: Snapshot, mark: Mark) -> Snapshot:
        """The policy nearest to a mark that lies between two measurements, by bisection.

        The next step to try is where the line between both ends in (step, sqrt(KL)) meets the mark.
        """
        wanted = math.sqrt(mark.kl_nats)
        best = now if before is None else min(now, before, key=lambda one: _gap(one, wanted))
        low_step, low_d = (0, 0.0) if before is None else (before.step, _distance(before))
        high_step, high_d = now.step, _distance(now)
        while mark.is_budget and _gap(best, wanted) > CLOSE * wanted:
            inside = [one for one in self._between if low_step < one.step < high_step]
            if self._measure is None or not inside:
                break
            share = (wanted - low_d) / (high_d - low_d) if high_d > low_d else 0.5
            aim = low_step + min(max(share, 0.1), 0.9) * (high_step - low_step)
            tried = min(inside, key=lambda one: abs(one.step - aim))
            kl_nats = self._measure(tried.state)
            found = Snapshot(tried.step, kl_nats, (), tried.compute, tried.state)
            if kl_nats < mark.kl_nats:
                low_step, low_d = found.step, _distance(found)
            else:
                high_step, high_d = found.step, _distance(found)
            best = min(best, found, key=lambda one: _gap(one, wanted))
        return best

    def _keep(self, snapshot: Snapshot, mark: Mark) -> None:
        kept = self._kept.get(snapshot.step, snapshot)
        budgets = (*kept.budgets_nats, mark.kl_nats) if mark.is_budget else kept.budgets_nats
        self._kept[snapshot.step] = replace(kept, budgets_nats=budgets)

    def _stride(self, before: Snapshot | None, now: Snapshot) -> int:
        """Steps to wait for the next measurement."""
        longest = max(1, int(LARGEST_GAP * now.step))
        if self._passed == len(self._marks):
            return longest
        start, d_before = (before.step, _distance(before)) if before is not None else (0, 0.0)
        speed = (_distance(now) - d_before) / (now.step - start)
        if speed <= 0:
            return longest
        ahead = math.sqrt(self._marks[self._passed].kl_nats) - _distance(now)
        return int(min(max(ahead / speed, 1.0), longest))


def _distance(snapshot: Snapshot) -> float:
    return math.sqrt(max(snapshot.kl_nats, 0.0))


def _gap(snapshot: Snapshot, wanted_d: float) -> float:
    return abs(_distance(snapshot) - wanted_d)


def _copy(policy: Weighted) -> dict[str, Tensor]:
    return {name: value.detach().cpu().clone() for name, value in policy.state_dict().items()}
