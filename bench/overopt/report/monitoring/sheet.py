"""The table of scored monitors: for the terminal, as CSV, and as JSON values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich import box
from rich.table import Table

from overopt.report.monitoring.scoring import GroupScores, MonitorScore
from overopt.report.tables.text import MISSING
from overopt.stats.crossed import Crossed
from overopt.stats.intervals import Interval
from overopt.stats.shares import Share

NOTE = (
    "Regret: gold at the peak minus gold of the policy that is kept, SDs of the initial policy; "
    "means over seeds with 95 % intervals over seeds and prompts. Every limit is set by one rule, "
    "on other seeds and the other half of the prompts. The peak is one KL for all seeds, so that "
    "what stops each seed in its own time may have a regret below 0. Lead: from the alarm to the "
    "peak, over the seeds that ring, positive where the alarm is early; intervals over seeds. "
    "False: seeds of which the twin, optimized against gold itself, rings; forgone: gold that it "
    "would still have gained. Vs stop: whether regret differs from the constant stop's, paired, "
    "by Holm's correction over monitors."
)
_HEADS = ("monitor", "regret", "lead √nats", "steps", "false", "forgone", "vs stop")


def table_of(scores: GroupScores) -> Table:
    """One group's table, best regret first; what could not be measured is told by `remarks_of`."""
    title = f"{scores.name}: regret without a stop {_crossed(scores.to_end)}"
    table = Table(
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
        title=title,
        title_justify="left",
    )
    for head in _HEADS:
        right = head not in (_HEADS[0], _HEADS[-1])
        table.add_column(head, justify="right" if right else "left", no_wrap=True)
    for one in scores.ranked:
        if one.missing:
            continue
        twins = one.twins
        table.add_row(
            one.monitor,
            _crossed(one.regret),
            _interval(one.lead_d),
            _interval(one.lead_steps, 0),
            MISSING if twins is None else _share(twins.rang),
            MISSING if twins is None else _interval(twins.forgone),
            one.verdict,
        )
    return table


def remarks_of(scores: GroupScores) -> list[str]:
    """Which monitors do not ring on every seed, and which read what runs or twins do not have."""
    quiet = [
        f"{one.monitor} on {_share(one.rang)}"
        for one in scores.scores
        if one.rang is not None and one.rang.hits < one.rang.n
    ]
    missing = [f"{one.monitor} ({', '.join(one.missing)})" for one in scores.scores if one.missing]
    told = [f"rings not on every seed: {', '.join(quiet)}"] if quiet else []
    if missing:
        told.append(f"not scored, since the runs do not hold it: {', '.join(missing)}")
    untold = [
        f"{one.monitor} ({', '.join(one.twins_missing)})"
        for one in scores.scores
        if one.twins_missing
    ]
    if untold:
        told.append(
            f"false alarms leave out twins that do not hold it: {', '.join(untold)}; measure them "
            "again"
        )
    return told


def gold_sentence(scores: GroupScores) -> str:
    """What gold does in these runs and their twins, in one sentence."""
    peak = scores.peak
    words = f"gold is {_crossed(peak.peak.gold)} at its peak, KL {peak.peak.kl_nats:.3g} nats"
    words += ", and falls" if peak.falls else ", and no fall is shown"
    words += f" up to {peak.end.kl_nats:.3g} nats ({_crossed(peak.fall)})"
    words += f"; a stop at each seed's own best look has regret {_crossed(scores.own_best)}"
    if scores.twins_end_highest is not None:
        highest = scores.twins_end_highest
        words += f"; {highest.hits} of {highest.n} twins have the most gold at their last look"
    if not scores.runs.by_prompt:
        words += "; gold by prompt was not stored, so that intervals are over seeds alone"
    return f"{scores.name}: {words}"


def rows_of(groups: Sequence[GroupScores]) -> list[dict[str, Any]]:
    """One flat row per group and monitor, missing values None."""
    return [_row(scores, one) for scores in groups for one in scores.ranked]


def _row(scores: GroupScores, one: MonitorScore) -> dict[str, Any]:
    identity = {
        name: None if value != value else value for name, value in scores.runs.identity.items()
    }
    twins = one.twins
    return {
        "task": scores.runs.task,
        "method": scores.runs.method,
        **identity,
        "seeds": len(scores.runs.seeds),
        "monitor": one.monitor,
        **_parts("regret", one.regret),
        **_counts("rang", one.rang),
        **_parts("lead_sqrt_nats", one.lead_d),
        **_parts("lead_steps", one.lead_steps),
        **_counts("false_alarms", None if twins is None else twins.rang),
        **_parts("forgone", None if twins is None else twins.forgone),
        **_parts("against_constant_stop", one.against_control),
        "p_holm": one.p_holm,
        "verdict": one.verdict,
        **_parts("regret_to_end", scores.to_end),
        **_parts("regret_own_best", scores.own_best),
    }


def _parts(name: str, value: Crossed | Interval | None) -> dict[str, Any]:
    parts = (None, None, None) if value is None else (value.mean, value.low, value.high)
    return dict(zip((name, f"{name}_low", f"{name}_high"), parts, strict=True))


def _counts(name: str, value: Share | None) -> dict[str, Any]:
    parts = (None,) * 4 if value is None else tuple(value)
    return dict(zip((name, f"{name}_of", f"{name}_low", f"{name}_high"), parts, strict=True))


def _crossed(value: Crossed | None) -> str:
    return MISSING if value is None else _mean(value.mean, value.low, value.high, 2)


def _interval(value: Interval | None, digits: int = 2) -> str:
    if value is None or value.mean is None:
        return MISSING
    return _mean(value.mean, value.low, value.high, digits)


def _mean(mean: float, low: float | None, high: float | None, digits: int) -> str:
    shown = f"{mean:.{digits}f}"
    if low is not None and high is not None:
        shown += f"±{(high - low) / 2:.{digits}f}"
    return shown.replace("-", "−")


def _share(value: Share | None) -> str:
    return MISSING if value is None else f"{value.hits}/{value.n}"
