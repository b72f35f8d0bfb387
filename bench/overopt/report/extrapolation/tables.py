"""Best-of-n far beyond the fitted n as tidy tables, and as a table for readers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import pandas as pd

from overopt.report.interval_columns import spread
from overopt.report.tables.text import TextTable, show_number
from overopt.stats.fits.forms import Form
from overopt.stats.intervals import Interval
from overopt.stats.pools.extrapolation import Extrapolation, proxy_points

NAMES = {
    Form.BON: "d (a − b d)",
    Form.RL: "d (a − b log d)",
    Form.LOG1P: "d (a − b log(1 + d))",
}
"""What the forms are called."""


class Extrapolated(NamedTuple):
    """Seeds of one setting: what tells it from others, its seeds, and what was found.

    place: the same in columns, as ``points.csv`` names them, and ``spec``, which of the runs asked
        for it is of.
    """

    label: str
    seeds: tuple[int, ...]
    found: Extrapolation
    place: Mapping[str, str | int | None] = MappingProxyType({})


def name_settings(groups: Sequence[Extrapolated]) -> list[str]:
    """What tells each setting from the others; the whole of it where there is one."""
    parts = [group.label.split(", ") for group in groups]
    shared = set.intersection(*map(set, parts)) if len(groups) > 1 else set()
    named = [", ".join(part for part in own if part not in shared) for own in parts]
    return [name or group.label for name, group in zip(named, groups, strict=True)]


def curve_frame(groups: Sequence[Extrapolated]) -> pd.DataFrame:
    """One row per setting, seed and n; KL with ties known, its bound beside it."""
    rows = [
        {
            "setting": group.label,
            **group.place,
            "seed": seed,
            "n": int(n),
            "fitted": 1 < n <= group.found.fitted_up_to,
            "kl_nats": one.kl_nats_K[k],
            "kl_bound_nats": one.kl_bound_K[k],
            "gold_gain": one.gold_K[k],
            "gold_gain_se": None if math.isnan(one.gold_se_K[k]) else one.gold_se_K[k],
            "proxy_gain": one.proxy_K[k],
        }
        for group in groups
        for seed, one in zip(group.seeds, group.found.curves, strict=True)
        for k, n in enumerate(one.n_K)
    ]
    return pd.DataFrame(rows)


def form_frame(groups: Sequence[Extrapolated]) -> pd.DataFrame:
    """One row per setting and form: coefficients, and errors beyond the fitted n."""
    rows: list[dict[str, object]] = []
    for group in groups:
        known = {"setting": group.label, "fitted_up_to": group.found.fitted_up_to}
        for test in group.found.tests:
            holdouts = test.holdouts
            rows.append(
                {
                    **known,
                    "form": test.form.value,
                    **spread("a", test.a),
                    **spread("b", test.b),
                    **spread("rmse_beyond", holdouts.rmse),
                    **spread("constant_rmse_beyond", holdouts.constant_rmse),
                    **spread("gain_over_constant", holdouts.gain),
                    "seeds": holdouts.rmse.n,
                }
            )
        line = group.found.line_rmse
        rows.append({**known, "form": "line", **spread("rmse_beyond", line), "seeds": line.n})
    return pd.DataFrame(rows)


def point_frame(groups: Sequence[Extrapolated]) -> pd.DataFrame:
    """One row per setting and member: its gain where gold is highest, its proxy point."""
    rows: list[dict[str, object]] = []
    for group in groups:
        found = proxy_points(group.found.curves)
        known = {
            "setting": group.label,
            "n_at_peak": " ".join(map(str, found.n_S)),
            **spread("gold", found.gold),
            **spread("proxy", found.proxy),
        }
        rows += [
            {**known, "member": m, **spread("member_score", one), "seeds": one.n}
            for m, one in enumerate(found.members)
        ]
    return pd.DataFrame(rows)


def show_points(groups: Sequence[Extrapolated]) -> TextTable | None:
    """Proxy points for readers; None where no system has several members."""
    rows = []
    for name, group in zip(name_settings(groups), groups, strict=True):
        found = proxy_points(group.found.curves)
        if found.members:
            counts = f"{min(found.n_S):,} to {max(found.n_S):,}"
            scores = ", ".join(show_number(one.mean, 2) for one in found.members)
            rows.append((name, counts, _show(found.gold), _show(found.proxy), scores))
    if not rows:
        return None
    return TextTable(
        name="proxy_points",
        title="Proxy points: members where gold is highest",
        header=("setting", "n there", "gold", "proxy", "members"),
        rows=tuple(rows),
        words=2,
        note=(
            "Gains over the initial policy, SDs. Each seed is read at the n at which the mean gold "
            "of the other seeds is highest; intervals over seeds are in proxy_points.csv."
        ),
    )


def show_forms(groups: Sequence[Extrapolated]) -> TextTable:
    """Errors beyond the fitted n for readers, in SDs of the initial policy."""
    rows = []
    for name, group in zip(name_settings(groups), groups, strict=True):
        found = group.found
        rows += [
            (
                name,
                NAMES[test.form],
                _show(test.a),
                _show(test.b),
                _show(test.holdouts.rmse),
                _show(test.holdouts.constant_rmse),
            )
            for test in found.tests
        ]
        rows.append((name, "a d", "", "", _show(found.line_rmse), ""))
    first = groups[0].found
    n_max = int(first.curves[0].n_K[-1])
    return TextTable(
        name="extrapolation",
        title=f"Fitted on n up to {first.fitted_up_to:,}, foretold to n = {n_max:,}",
        header=("setting", "form", "a", "b", "error beyond", "of the last value kept"),
        rows=tuple(rows),
        words=2,
        note=(
            "Root mean square error of gold beyond the fitted n, SDs of the initial policy; 95 % t "
            "intervals over seeds, exploratory below 5."
        ),
    )


def _show(interval: Interval) -> str:
    if interval.mean is None:
        return "none"
    mean = show_number(interval.mean, 3)
    if interval.low is None or interval.high is None:
        return mean
    return f"{mean} [{show_number(interval.low, 3)}, {show_number(interval.high, 3)}]"
