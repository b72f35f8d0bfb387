"""What the page and LaTeX show of scores and fits."""

from __future__ import annotations

from typing import Any, NamedTuple

import pandas as pd

from overopt.report.stored.records import records_of
from overopt.report.tables.peaks import PEAK_AND_END, show_target
from overopt.report.tables.text import MISSING, TextTable, show_number
from overopt.stats.fits.holdout import Split


def show_scores(scores: pd.DataFrame) -> TextTable:
    """Scores of every group for readers."""
    several = _several(scores)
    rows = [
        (
            *_names(row, several),
            _seeds(row),
            _spread(row, "gold_at_peak", 2),
            show_target(row, "kl_target_at_peak_nats", "kl_at_peak_nats"),
            _spread(row, "gold_at_end", 2),
            show_target(row, "kl_target_at_end_nats", "kl_at_end_nats"),
            _spread(row, "gamma", 2) + _part(row, "gamma_seeds"),
            _spread(row, "gamma_trapezoid", 2) + _part(row, "gamma_trapezoid_seeds"),
            str(row["gamma_form"]),
            _spread(row, "regret_at_peak", 2),
            _spread(row, "hypervolume", 2) + _part(row, "hypervolume_seeds"),
            _spread(row, "area_from_peak", 2) + _part(row, "area_from_peak_seeds"),
        )
        for row in records_of(scores)
    ]
    limits = sorted(set(scores["hypervolume_kl_max_nats"].dropna()))
    upto = ", ".join(f"{limit:g}" for limit in limits)
    return TextTable(
        name="scores",
        title="Scores",
        header=(
            *("method", "proxy", "noise", "seeds", "gold at peak", "KL at peak", "gold at end"),
            *("KL at end", "γ", "γ by trapezoid", "form", "regret at peak"),
            *("hypervolume", "area from peak"),
        ),
        rows=tuple(rows),
        words=3,
        note=f"{PEAK_AND_END} The other scores are of each seed's curve, with 95 % t intervals "
        "over seeds. γ: area between proxy and gold over the area under gold, along KL; 0 is "
        "faithful. It is of fitted curves, of the form that predicts held-out points better, and "
        "beside it of the points joined by lines. Regret: what the best policy of the KL achieved "
        "at the peak has more, interval as for gold there. Hypervolume: area under the gold-KL "
        "front of the budgets as a share of the oracle's"
        + (f", up to {upto} nats." if upto else "; no oracle front was stored.")
        + " Area from peak: area under gold from the peak to the end as a share of the oracle's; "
        "unlike the hypervolume it sees a fall." + _exploratory_note(scores),
    )


def show_fits(fits: pd.DataFrame) -> TextTable:
    """Fits of every group and form for readers."""
    several = _several(fits)
    rows = []
    for row in records_of(fits):
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


def _spread(row: dict[Any, Any], name: str, digits: int) -> str:
    middle = show_number(row[name], digits)
    low, high = show_number(row[f"{name}_low"], digits), show_number(row[f"{name}_high"], digits)
    return middle if low == MISSING else f"{middle} [{low}, {high}]"


class _Several(NamedTuple):
    """Whether a table has several tasks, and tasks of several worlds."""

    tasks: bool
    worlds: bool


def _several(table: pd.DataFrame) -> _Several:
    worlds = table.groupby("task")["world"].nunique()
    return _Several(table["task"].nunique() > 1, bool((worlds > 1).any()))


def _names(row: dict[Any, Any], several: _Several) -> tuple[str, str, str]:
    method = f"{row['task']}: {row['method']}" if several.tasks else str(row["method"])
    method += f", world {row['world']}" if several.worlds else ""
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
