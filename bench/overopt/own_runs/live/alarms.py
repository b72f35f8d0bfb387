"""When a live run should be looked at: one sentence per kind of trouble, said when it begins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from overopt.own_scores.words import bounds, show
from overopt.stats.arrays import Floats
from overopt.stats.intervals import t_interval
from overopt.stats.rise_fall import PROMPTS_MIN
from overopt.stats.runs.turn import turn_over_prompts


class Limits(NamedTuple):
    """What raises an alarm.

    Attributes:
        kl_nats: a KL above this, where there is no gold; None for no alarm.
        length_share: mean length that is off the initial policy's by more than this share of it,
            and by more than its interval; None for no alarm.
    """

    kl_nats: float | None = 10.0
    length_share: float | None = 0.5


class Seen(NamedTuple):
    """One measurement, as means of each of B prompts."""

    step: int
    kl_nats: float
    gold_B: Floats | None
    length_B: Floats


@dataclass
class Alarms:
    """Watches a run.

    A fall of gold is `peak_and_end` of what was seen so far: the peak is chosen on one half of the
    prompts and read on the other, and the interval of the fall must lie below 0. A look at a run
    that does not fall raises it in less than 1 % of cases (simulated with 16 to 128 prompts and 6
    to 20 looks behind it; nominal 2.5 %); looks add up.

    Attributes:
        limits: what raises an alarm.
        standing: the kinds that stand since an earlier look, which are not said again.
    """

    limits: Limits
    standing: set[str] = field(default_factory=set)

    def begin(self) -> None:
        """A training begins: nothing stands from an earlier one."""
        self.standing.clear()

    def look(self, seen: Sequence[Seen]) -> list[str]:
        """What began with the last of the measurements; the first one is the initial policy."""
        now = {
            kind: said
            for kind, said in (
                ("gold", self._gold(seen)),
                ("kl", self._kl(seen[-1])),
                ("length", self._length(seen)),
            )
            if said is not None
        }
        fresh = [said for kind, said in now.items() if kind not in self.standing]
        self.standing = set(now)
        return fresh

    def _gold(self, seen: Sequence[Seen]) -> str | None:
        start = seen[0].gold_B
        if start is None or len(start) < PROMPTS_MIN or len(seen) < 3:
            return None
        later = [one for one in seen[1:] if one.gold_B is not None]
        gold_KB = np.stack([one.gold_B - start for one in later if one.gold_B is not None])
        kl_K = np.array([one.kl_nats for one in later])
        turn = turn_over_prompts([one.step for one in later], kl_K, gold_KB)
        if not turn.falls or turn.peak.steps == turn.end.steps:
            return None
        return (
            f"gold has fallen by {show(-(turn.fall.mean or 0.0))} since step {turn.peak.steps[0]} "
            f"(change {bounds(turn.fall)}, KL {show(turn.peak.kl_nats)} to "
            f"{show(turn.end.kl_nats)} nats): the run overoptimizes; step {turn.peak.steps[0]} was "
            "better"
        )

    def _kl(self, last: Seen) -> str | None:
        limit = self.limits.kl_nats
        if limit is None or last.gold_B is not None or last.kl_nats <= limit:
            return None
        return (
            f"KL is {show(last.kl_nats)} nats, above {limit:g}; without gold nobody can tell "
            "whether the proxy still means anything, so score this checkpoint"
        )

    def _length(self, seen: Sequence[Seen]) -> str | None:
        share = self.limits.length_share
        if share is None or len(seen) < 2:
            return None
        start_B, now_B = seen[0].length_B, seen[-1].length_B
        drift = t_interval(now_B - start_B)
        start = float(start_B.mean())
        if drift.mean is None or abs(drift.mean) <= share * start:
            return None
        if not (drift.above_zero or drift.below_zero):
            return None
        return (
            f"responses have {show(float(now_B.mean()))} tokens, {show(start)} at the start; "
            "length is the commonest way to please a proxy"
        )
