"""Drives a method's knob to each KL budget: bracketing, then interpolation in log knob.

KL along the knob is read from the cheap estimate that every run of the method leaves behind; the
full measurement comes afterwards, on the chosen runs only. Runs are shared: a run made for one
budget serves every other budget that it is near to.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from overopt.spec.declare import Knob
from overopt.stats.budgets import MET_WITHIN, budget_gap

LARGEST_RUNS_PER_BUDGET = 5
START_RUNS = 5


@dataclass
class Search:
    """The search of one cell: which knob values have been run, and which budgets are settled.

    kl_of: knob value -> cheap KL estimate in nats, of the runs made so far.
    """

    knob: Knob
    budgets_nats: tuple[float, ...]
    kl_of: dict[float, float] = field(default_factory=dict)
    tried: dict[float, int] = field(default_factory=dict)

    def first_values(self) -> list[float]:
        """A coarse grid over the whole range of the knob, evenly spaced in its logarithm."""
        low, high = math.log(self.knob.low), math.log(self.knob.high)
        return [
            _rounded(math.exp(low + (high - low) * i / (START_RUNS - 1))) for i in range(START_RUNS)
        ]

    def observe(self, kl_of: Mapping[float, float]) -> None:
        """Take note of runs; KL must be finite."""
        for value, kl_nats in kl_of.items():
            if not math.isfinite(kl_nats):
                raise FloatingPointError(f"{self.knob.name} = {value}: KL is {kl_nats}")
            self.kl_of[value] = kl_nats

    def serving(self, budget_nats: float) -> float | None:
        """The knob value whose run serves the budget, or None so far."""
        gap, value = self._gaps(budget_nats)[0]
        return value if gap <= MET_WITHIN else None

    def _gaps(self, budget_nats: float) -> list[tuple[float, float]]:
        """Distance from the budget as a fraction of its sqrt(KL), and knob value; nearest first."""
        return sorted((budget_gap(kl, budget_nats), value) for value, kl in self.kl_of.items())

    def next_values(self) -> list[float]:
        """New knob values to run, one for each budget still open; none when all are done."""
        wanted: list[float] = []
        for budget_nats in self.budgets_nats:
            if self.serving(budget_nats) is not None:
                continue
            if self.tried.get(budget_nats, 0) >= LARGEST_RUNS_PER_BUDGET:
                continue
            value = self._between(budget_nats)
            if value is None or value in self.kl_of:
                continue
            self.tried[budget_nats] = self.tried.get(budget_nats, 0) + 1
            if value not in wanted:
                wanted.append(value)
        return wanted

    def _between(self, budget_nats: float) -> float | None:
        """Interpolated knob value inside the tightest bracket of the budget; None without one.

        Interpolation is linear in (log knob, sqrt KL); where KL is not monotone in the knob, the
        bracket whose ends are nearest to each other in log knob is used.
        """
        ordered = sorted(self.kl_of.items())
        brackets = [
            (math.log(high / low), low, high, kl_low, kl_high)
            for (low, kl_low), (high, kl_high) in pairwise(ordered)
            if (kl_low - budget_nats) * (kl_high - budget_nats) <= 0 and kl_low != kl_high
        ]
        if not brackets:
            return None
        _, low, high, kl_low, kl_high = min(brackets)
        d, d_low, d_high = (math.sqrt(max(kl, 0.0)) for kl in (budget_nats, kl_low, kl_high))
        share = min(max((d - d_low) / (d_high - d_low), 0.1), 0.9)
        return _rounded(math.exp(math.log(low) + share * (math.log(high) - math.log(low))))

    def settle(self) -> tuple[dict[float, float], list[float]]:
        """Budgets met (budget -> knob value) and budgets out of reach.

        A budget inside the range that no run came close enough to takes the nearest run: the
        achieved KL is what gets reported. A run serves one budget only, the one it is nearest to.
        """
        pairs: list[tuple[float, float, float]] = []
        for budget_nats in self.budgets_nats:
            gaps = self._gaps(budget_nats)
            near = [pair for pair in gaps if pair[0] <= MET_WITHIN]
            if not near and self._between(budget_nats) is not None:
                near = gaps[:1]
            pairs += [(gap, budget_nats, value) for gap, value in near]
        chosen: dict[float, float] = {}
        for _, budget_nats, value in sorted(pairs):
            if budget_nats not in chosen and value not in chosen.values():
                chosen[budget_nats] = value
        met = {budget: chosen[budget] for budget in self.budgets_nats if budget in chosen}
        return met, [budget for budget in self.budgets_nats if budget not in chosen]


def _rounded(value: float) -> float:
    """Four significant digits: knob values that people can type again."""
    return float(f"{value:.4g}")
