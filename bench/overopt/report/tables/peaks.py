"""What the terminal and the page show of peaks and ends, and of what is missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from overopt.report.group import Group, verdict
from overopt.report.stored.schema import estimator_name
from overopt.report.tables.text import MISSING, TextTable, show_number
from overopt.stats.crossed import Crossed, Place
from overopt.stats.students_t import EXPLORATORY_BELOW

PEAK_AND_END = (
    "Peak: chosen on other data (other seeds, other half of the prompts) than it is read on; end: "
    "the largest budget that every seed reached. Means over all seeds with 95 % intervals over "
    "seeds and prompts; KL: budget → achieved, nats per response."
)


def summarize(groups: Sequence[Group]) -> TextTable:
    """One row per group: gold at the peak and at the end, the proxy there, what is missing."""
    several = _several_tasks(groups)
    rows = []
    for group in groups:
        places = group.places
        cells = [group.task] if several else []
        cells += [group.titled, group.proxy, group.noise, f"{len(group.seeds)}/{group.n_seeds}"]
        for place in (places.peak, places.end):
            cells += [_plus_minus(place.gold if place else None), show_kl(place)]
        cells += [_plus_minus(proxy_at_end(group))]
        notes = (places.verdict, *describe_gaps(group), *describe_basis(group))
        rows.append((*cells, "; ".join(filter(None, notes))))
    estimators = sorted({e for group in groups for e in group.estimator.split("+") if e})
    return TextTable(
        name="summary",
        title="Gold at peak and end, proxy at the end (SDs of the initial policy)",
        header=(
            *(("task",) if several else ()),
            *("method", "proxy", "noise", "seeds"),
            *("peak gold", "peak at KL", "end gold", "end at KL", "end proxy", "notes"),
        ),
        rows=tuple(rows),
        words=4 if several else 3,
        note=f"{PEAK_AND_END}{_worlds_note(groups)} KL: "
        f"{estimator_name('+'.join(estimators)) or 'not measured'}.",
    )


def _worlds_note(groups: Sequence[Group]) -> str:
    """What rows that are means over worlds rest on."""
    counts = sorted({len(group.worlds) for group in groups if group.parts})
    if not counts:
        return ""
    named = " or ".join(map(str, counts))
    return f" Means over {named} worlds, with intervals across worlds (of two: within them)."


def proxy_at_end(group: Group) -> Crossed | None:
    """The proxy at the end; None where some seed was not measured by it."""
    end = group.places.end
    proxies = [mean for mean in group.means["proxy"] if end and group.is_whole(mean)]
    there = [mean.score for mean in proxies if end and mean.kl_target_nats == end.kl_target_nats]
    return there[0] if there else None


def describe_gaps(group: Group) -> list[str]:
    """What is missing from a group, in words."""
    notes = []
    nobody = [one for one in group.unreached if one.n_seeds >= group.n_seeds]
    some = [one for one in group.unreached if one.n_seeds < group.n_seeds]
    for missed, words in ((nobody, "out of reach"), (some, "missed by some seeds")):
        if missed:
            budgets = ", ".join(f"{one.kl_target_nats:g}" for one in missed)
            notes.append(f"{budgets} nats {words}")
    if group.failures:
        seeds = ", ".join(str(failure.seed) for failure in group.failures)
        notes.append(f"failed: seed {seeds}")
    if group.n_negative:
        notes.append(f"{group.n_negative} points with KL below 0 left out")
    if group.places.end is None or group.places.peak is None:
        notes.append(group.places.note)
    return notes


def describe_basis(group: Group) -> list[str]:
    """What the numbers of a group rest on, where it is less than seeds and prompts of one run."""
    places = group.places
    notes = [places.note] if places.peak and places.note else []
    over = {place.gold.over for place in (places.peak, places.end) if place}
    if over & {"seeds", "prompts"}:
        notes.append(f"interval over {over.pop()} only")
    if group.exploratory:
        notes.append("exploratory")
    return notes


def show_contrasts(groups: Sequence[Group]) -> TextTable:
    """Peak, end and fall of every group for readers, with the verdict in words."""
    several = _several_tasks(groups)
    rows = []
    for group in groups:
        places = group.places
        if places.end is None:
            continue
        gold = [_interval(place.gold if place else None) for place in (places.peak, places.end)]
        rows.append(
            (
                _method(group, several),
                group.proxy,
                group.noise,
                f"{len(group.seeds)}/{group.n_seeds}",
                places.verdict or MISSING,
                show_kl(places.peak),
                "/".join(str(count) for count in places.choices or ()) or MISSING,
                gold[0],
                show_kl(places.end),
                gold[1],
                _interval(places.fall),
            )
        )
    return TextTable(
        name="contrasts",
        title="Does gold rise, and does it fall again?",
        header=(
            *("method", "proxy", "noise", "seeds", "verdict", "KL at peak", "chosen"),
            *("gold at peak (rise)", "KL at end", "gold at end", "fall"),
        ),
        rows=tuple(rows),
        words=5,
        note=f"{PEAK_AND_END} Chosen: how many of the choices of the peak fell on the budget shown;"
        " gold and achieved KL are means over all choices. Fall: gold at the end less gold at the "
        "peak, prompt by prompt; a dash where the peak is the end. A verdict needs an interval "
        "that excludes 0." + _source_notes(groups),
    )


def show_worlds(groups: Sequence[Group]) -> TextTable:
    """Peak, end and fall as means over worlds, with both intervals, as stored with the runs."""
    several = _several_tasks(groups)
    of = {id(group.over_worlds): group for group in groups if group.over_worlds is not None}
    rows = []
    for group in of.values():
        row = group.over_worlds
        assert row is not None
        method = f"{group.task}: {group.method}" if several else group.method
        words = verdict(bool(row["rises"]), bool(row["falls"]))
        few = row["seeds"] < EXPLORATORY_BELOW * row["worlds"]
        cells = [method, group.proxy, group.noise, f"{row['worlds']:g}", f"{row['seeds']:g}"]
        cells.append(f"{words} (exploratory)" if few else words)
        for name, place in (("peak_gold", "peak"), ("end_gold", "end"), ("fall", "")):
            if place:
                cells.append(show_target(row, f"{place}_kl_target_nats", f"{place}_kl_nats"))
            cells.append(_both(row, name))
        rows.append(tuple(cells))
    return TextTable(
        name="worlds",
        title="Over worlds",
        header=(
            *("method", "proxy", "noise", "worlds", "seeds", "verdict"),
            *("KL at peak", "gold at peak (rise)", "KL at end", "gold at end", "fall"),
        ),
        rows=tuple(sorted(set(rows))),
        words=6,
        note="Means of the world means, peak and end as within a world, along the budgets that all "
        "seeds of all worlds reached. In square brackets: 95 % t interval across worlds, for any "
        "world of the kind; it needs three worlds. In parentheses: 95 % interval for these worlds, "
        "over the seeds and prompts within them. A verdict needs the interval across worlds to "
        "exclude 0, or with two worlds the other one.",
    )


def _both(row: Mapping[Any, Any], name: str) -> str:
    """``mean [across worlds] (within these worlds)``."""
    middle = show_number(row[name], 2)
    for over, (left, right) in (("across", "[]"), ("within", "()")):
        bounds = [show_number(row[f"{name}_{over}_{side}"], 2) for side in ("low", "high")]
        middle += "" if MISSING in bounds else f" {left}{', '.join(bounds)}{right}"
    return middle


def _source_notes(groups: Sequence[Group]) -> str:
    """Which rows rest on less than what runs store today."""
    notes = sorted({group.places.note for group in groups if group.places.note})
    told = []
    for note in notes:
        names = [group.name for group in groups if group.places.note == note]
        whole = len(names) == len(groups)
        told.append(f" {'All rows' if whole else ', '.join(names)}: {note}.")
    return "".join(told)


def show_gaps(groups: Sequence[Group]) -> TextTable:
    """Everything that is missing from the curves."""
    several = _several_tasks(groups)
    rows = [
        (
            _method(group, several),
            group.proxy,
            group.noise,
            note,
        )
        for group in groups
        for note in describe_gaps(group)
    ]
    return TextTable(
        name="gaps",
        title="What is missing",
        header=("method", "proxy", "noise", "what"),
        rows=tuple(rows),
        words=4,
        note="Budgets out of reach and failed cells are part of the result; they are not drawn.",
    )


def show_kl(place: Place | None) -> str:
    """A place along KL as its budget and what was achieved there, nats."""
    return f"{place.kl_target_nats:.3g} → {place.kl_nats:.3g}" if place else MISSING


def show_target(row: Mapping[Any, Any], target: str, achieved: str) -> str:
    """The same from two columns of a row."""
    return MISSING if pd.isna(row[achieved]) else f"{row[target]:.3g} → {row[achieved]:.3g}"


def _several_tasks(groups: Sequence[Group]) -> bool:
    return len({group.task for group in groups}) > 1


def _method(group: Group, several_tasks: bool) -> str:
    return f"{group.task}: {group.titled}" if several_tasks else group.titled


def _plus_minus(interval: Crossed | None) -> str:
    """``mean ± half width``, the interval being symmetric."""
    if interval is None:
        return MISSING
    middle = show_number(interval.mean, 2)
    return middle if interval.high is None else f"{middle} ± {interval.high - interval.mean:.2f}"


def _interval(interval: Crossed | None) -> str:
    """``mean [low, high]``."""
    if interval is None:
        return MISSING
    middle = show_number(interval.mean, 2)
    bounds = (show_number(bound, 2) for bound in (interval.low, interval.high))
    return middle if interval.low is None else f"{middle} [{', '.join(bounds)}]"
