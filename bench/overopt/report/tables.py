"""What the terminal, the page and LaTeX show of peaks, scores, fits and gaps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from overopt.report.groups import Group, estimator_name
from overopt.report.text_table import MISSING, TextTable, show_number
from overopt.stats.crossed import Crossed
from overopt.stats.holdout import Split
from overopt.stats.rise_fall import Place

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
        cells += [group.method, group.proxy, group.noise, f"{len(group.seeds)}/{group.n_seeds}"]
        for place in (places.peak, places.end):
            cells += [_plus_minus(place.gold if place else None), show_kl(place)]
        cells += [_plus_minus(_proxy_at_end(group))]
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
        note=f"{PEAK_AND_END} KL: {estimator_name('+'.join(estimators)) or 'not measured'}.",
    )


def _proxy_at_end(group: Group) -> Crossed | None:
    """The proxy at the end; None where some seed was not measured by it."""
    end = group.places.end
    proxies = [mean for mean in group.mean_curve("proxy") if end and group.is_whole(mean)]
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


def show_scores(scores: pd.DataFrame) -> TextTable:
    """Scores of every group for readers."""
    several = scores["task"].nunique() > 1
    rows = [
        (
            *_names(row, several),
            _seeds(row),
            _spread(row, "gold_at_peak", 2),
            _kl(row, "peak"),
            _spread(row, "gold_at_end", 2),
            _kl(row, "end"),
            _spread(row, "gamma", 2) + _part(row, "gamma_seeds"),
            _spread(row, "regret_at_peak", 2),
            _spread(row, "hypervolume", 2),
        )
        for row in scores.to_dict("records")
    ]
    limits = sorted(set(scores["hypervolume_kl_max_nats"].dropna()))
    upto = ", ".join(f"{limit:g}" for limit in limits)
    return TextTable(
        name="scores",
        title="Scores",
        header=(
            *("method", "proxy", "noise", "seeds", "gold at peak", "KL at peak", "gold at end"),
            *("KL at end", "γ", "regret at peak", "hypervolume"),
        ),
        rows=tuple(rows),
        words=3,
        note=f"{PEAK_AND_END} The other scores are of each seed's whole curve, with 95 % t "
        "intervals over seeds. γ: area between the fitted proxy and gold curves over the area "
        "under the proxy's; 0 is faithful, 1 means that nothing was gained. Regret: what the best "
        "policy of the KL achieved at the peak has more, interval as for gold there. Hypervolume: "
        "area under the gold-KL front as a share of the oracle's"
        + (f", up to {upto} nats." if upto else "; no oracle front was stored.")
        + _exploratory_note(scores),
    )


def show_fits(fits: pd.DataFrame) -> TextTable:
    """Fits of every group and form for readers."""
    several = fits["task"].nunique() > 1
    rows = []
    for row in fits.to_dict("records"):
        peak = MISSING
        if row["peak"] == "in range":
            peak = f"{_spread(row, 'peak_d', 2)} ({row['peak_seeds']} of {row['seeds']})"
        elif row["peak"]:
            peak = str(row["peak"])
        rows.append(
            (
                *_names(row, several),
                str(row["formula"]),
                _seeds(row),
                _spread(row, "a", 2),
                _spread(row, "b", 2),
                show_number(row["rmse"], 3),
                show_number(row["delta_aicc"], 1),
                _beside_constant(row, Split.WITH_PEAK),
                _beside_constant(row, Split.BEFORE_PEAK),
                peak,
                _spread(row, "peak_height", 2),
                _left_out(row),
            )
        )
    return TextTable(
        name="fits",
        title="Functional forms",
        header=(
            *("method", "proxy", "noise", "form", "seeds", "a", "b", "RMSE", "ΔAICc"),
            *("held-out RMSE, peak fitted (constant)", "held-out RMSE, peak ahead (constant)"),
            *("fitted peak d (seeds)", "fitted peak height", "left out"),
        ),
        rows=tuple(rows),
        words=4,
        note="Fitted to each seed's gold (SDs) on measured KL, d = √KL in √nats; means with 95 % t "
        "intervals over seeds. ΔAICc: 0 for the form that AICc prefers in its group. Held-out "
        "RMSE: error beyond the fitted points, in brackets that of staying at the last of them. "
        "Peak fitted: up to the peak and half of what is beyond; peak ahead: only what is before "
        "it. Fitted peak: where the fitted curve is highest, over the seeds that have one in "
        "range; the measured peak is above." + _exploratory_note(fits),
    )


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
    return f"{place.kl_target_nats:g} → {place.kl_nats:.3g}" if place else MISSING


def _kl(row: dict[Any, Any], name: str) -> str:
    target, achieved = row[f"kl_target_at_{name}_nats"], row[f"kl_at_{name}_nats"]
    return MISSING if pd.isna(achieved) else f"{target:g} → {achieved:.3g}"


def _several_tasks(groups: Sequence[Group]) -> bool:
    return len({group.task for group in groups}) > 1


def _method(group: Group, several_tasks: bool) -> str:
    return f"{group.task}: {group.method}" if several_tasks else group.method


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


def _spread(row: dict[Any, Any], name: str, digits: int) -> str:
    middle = show_number(row[name], digits)
    low, high = show_number(row[f"{name}_low"], digits), show_number(row[f"{name}_high"], digits)
    return middle if low == MISSING else f"{middle} [{low}, {high}]"


def _names(row: dict[Any, Any], several_tasks: bool) -> tuple[str, str, str]:
    method = f"{row['task']}: {row['method']}" if several_tasks else str(row["method"])
    return method, str(row["proxy"]), str(row["noise"])


def _part(row: dict[Any, Any], name: str) -> str:
    """How many seeds a mean is over, where it is not all that were measured."""
    return f" ({row[name]} of {row['seeds']})" if 0 < row[name] < row["seeds"] else ""


def _seeds(row: dict[Any, Any]) -> str:
    mark = "†" if row["exploratory"] else ""
    return f"{row['seeds']}/{row['seeds_run']}{mark}"


def _beside_constant(row: dict[Any, Any], split: Split) -> str:
    """A held-out error with that of a constant, and over how many of the fitted seeds it is."""
    if not row[f"{split}_seeds"]:
        return MISSING
    form, constant = (show_number(row[f"{split}_{name}"], 3) for name in ("rmse", "constant_rmse"))
    return f"{form} ({constant})" + _part(row, f"{split}_seeds")


def _left_out(row: dict[Any, Any]) -> str:
    """Why seeds are missing from a fit or from its held-out errors."""
    notes = {
        "": row["note"],
        "peak fitted: ": row[f"{Split.WITH_PEAK}_note"],
        "peak ahead: ": row[f"{Split.BEFORE_PEAK}_note"],
    }
    return "; ".join(
        f"{where}{note}"
        for where, note in notes.items()
        if note and (not where or note != notes[""])
    )


def _exploratory_note(table: pd.DataFrame) -> str:
    return " † Exploratory: fewer than 5 seeds." if bool(table["exploratory"].any()) else ""
