"""Does the run overoptimize, and where should it stop: one or two sentences."""

from __future__ import annotations

from overopt.own_runs.measured import MeasuredRuns
from overopt.own_runs.words import bounds, show, with_bounds
from overopt.stats.runs.turn import Spot, Turn

NO_GOLD = (
    "There is no gold in this log. Overoptimization cannot be judged from the proxy alone: a proxy "
    "that climbs looks the same whether gold follows or falls."
)


def tell(measured: MeasuredRuns) -> str:
    """The verdict of some runs, in words."""
    report = measured.report
    if not report.has_gold:
        return NO_GOLD
    if report.turn is None:
        return f"No verdict: {report.turn_reason}."
    return _of_turn(report.turn, measured)


def _of_turn(turn: Turn, measured: MeasuredRuns) -> str:
    top, end = _place(turn.peak, measured), _place(turn.end, measured)
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


def _place(spot: Spot, measured: MeasuredRuns) -> str:
    unit = "nats" if measured.kl.per == "response" else measured.kl.unit
    return f"{_steps(spot)} (KL {show(spot.kl_nats)} {unit})"
