"""Runs that were read or measured, and the verdict: do they overoptimize, where to stop?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from overopt.monitors.contract import Look
from overopt.own_runs.names import KLColumn
from overopt.own_runs.watching.verdict import Verdict
from overopt.own_scores.words import bounds, show, with_bounds
from overopt.stats.arrays import Floats
from overopt.stats.runs.report import RunsReport, Spot, Turn

NO_GOLD = (
    "There is no gold in this log. Overoptimization cannot be judged from the proxy alone: a proxy "
    "that climbs looks the same whether gold follows or falls."
)


class Checkpoints(NamedTuple):
    """The policies of one run, the initial one first.

    Attributes:
        points: all that was measured on each.
        proxy_KB, gold_KB: rewards as they were, means over the samples of each prompt; gold may be
            missing.
    """

    points: tuple[Mapping[str, Any], ...]
    proxy_KB: Floats
    gold_KB: Floats | None


@dataclass(frozen=True)
class MeasuredRuns:
    """What ``bench measure`` found out.

    Attributes:
        report: gains, fits, turn and gap.
        kl: which KL the axis is.
        names: one name per run, as people know it.
        proxy: what the proxy is called.
        gold: what gold is called, or None.
        notes: choices made on the user's behalf, one sentence each.
        advised_steps: checkpoints to score with gold where there is none.
        candidates: columns of mean rewards that may be gold.
        proxy_rows, gold_rows: per run, the rewards as they were, NaN where missing.
        checkpoints: what was measured on checkpoints, run by run; empty for logs.
        written: files that were written.
        looks: per run, what monitors are shown, which is everything but gold.
        monitors: per run, what monitors say; empty where none was asked.
    """

    report: RunsReport
    kl: KLColumn
    names: tuple[str, ...]
    proxy: str
    gold: str | None
    notes: tuple[str, ...]
    advised_steps: tuple[int, ...]
    candidates: tuple[str, ...]
    proxy_rows: tuple[tuple[float, ...], ...]
    gold_rows: tuple[tuple[float, ...], ...]
    checkpoints: tuple[Checkpoints, ...] = ()
    written: tuple[Path, ...] = ()
    looks: tuple[tuple[Look, ...], ...] = ()
    monitors: tuple[tuple[Verdict, ...], ...] = ()

    @property
    def measures(self) -> tuple[Mapping[str, Any], ...]:
        """All that was measured on each checkpoint, with its run where there are several."""
        several = len(self.checkpoints) > 1
        return tuple(
            {"run": name, **point} if several else point
            for name, one in zip(self.names, self.checkpoints, strict=False)
            for point in one.points
        )

    @property
    def verdict(self) -> str:
        """Whether the run overoptimizes, in one or two sentences."""
        return tell(self.report, self.kl)


def tell(report: RunsReport, kl: KLColumn) -> str:
    """The verdict of some runs, in words."""
    if not report.has_gold:
        return NO_GOLD
    if report.turn is None:
        return f"No verdict: {report.turn_reason}."
    return _of_turn(report.turn, kl)


def _of_turn(turn: Turn, kl: KLColumn) -> str:
    top, end = _place(turn.peak, kl), _place(turn.end, kl)
    if turn.over == "nothing":
        if _same(turn):
            return (
                f"Gold is highest at the end, {top}: {show(turn.peak.gold.mean)} above the start. "
                "One run without scores per prompt has no interval: nothing here can be told from "
                "noise."
            )
        return (
            f"Gold is highest at {top}, {show(turn.peak.gold.mean)} above the start, and "
            f"{show(turn.fall.mean)} from there to the end, {end}. One run without scores per "
            "prompt has no interval, and its highest row is high by chance too: measure more "
            "seeds, or the checkpoints with --policy, before you call this overoptimization."
        )
    rise = f"{show(turn.peak.gold.mean)} {bounds(turn.peak.gold)}"
    if _same(turn):
        start = "rises to" if turn.rises else "is"
        return (
            f"Gold {start} {rise} at the end, {end}, which is where it is highest: no "
            "overoptimization within this run."
        )
    rises = "rises to" if turn.rises else "does not rise beyond its interval:"
    if turn.falls:
        return (
            f"Gold {rises} {rise} at {top}, then falls by {show(-(turn.fall.mean or 0.0))} "
            f"[{show(-(turn.fall.high or 0.0))}, {show(-(turn.fall.low or 0.0))}] to the end, "
            f"{end}: this run overoptimizes. Stop near {_steps(turn.peak)}."
        )
    return (
        f"Gold {rises} {rise} at {top}; from there to the end, {end}, it changes by "
        f"{with_bounds(turn.fall)}: no fall that these data can tell from noise."
    )


def _same(turn: Turn) -> bool:
    return turn.peak.steps == turn.end.steps


def _steps(spot: Spot) -> str:
    first, last = min(spot.steps), max(spot.steps)
    return f"step {first}" if first == last else f"steps {first} to {last}"


def _place(spot: Spot, kl: KLColumn) -> str:
    unit = "nats" if kl.per == "response" else kl.unit
    return f"{_steps(spot)} (KL {show(spot.kl_nats)} {unit})"
