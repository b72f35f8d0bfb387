"""What the charts draw, as JSON: the same curves, peaks and fits as in the tables.

Numbers have four significant digits, as many as a screen shows; the CSV files have all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from overopt.report.fits import FORMULAS, GroupFit
from overopt.report.group import QUANTITIES, Group, Quantity
from overopt.report.html.folded import FoldKey
from overopt.report.limits import robust_limits
from overopt.report.noise_labels import name_noise
from overopt.report.ratios import COLUMNS, moved_points, other_estimators, read_ratios
from overopt.report.stored.results import Results
from overopt.report.stored.schema import ESTIMATORS
from overopt.stats.crossed import Place
from overopt.stats.fits.forms import Form

DRAWN_FORMS = {Form.BON: "best-of-n form", Form.RL: "RL form"}
"""The two forms of Gao et al., which the charts show; the tables have all."""
GRID = 17
"""Points of a fitted curve."""


def chart_data(
    results: Results,
    lines: Sequence[Group],
    families: Mapping[str, str],
    fits: Iterable[GroupFit],
    folds: Iterable[FoldKey],
) -> dict[str, Any]:
    """Everything that the page's script draws.

    Args:
        results: points, for the ratios of KL estimators, and oracle fronts.
        lines: curves in the order of the table of methods.
        families: of each method.
        fits: of the curves of single worlds.
        folds: methods that are folded, in the order of the page.
    """
    return {
        "lines": [_line(line, families) for line in lines],
        "noises": {line.noise: name_noise(line.noise) for line in lines},
        "forms": {form.value: [words.split()[0], FORMULAS[form]]
                  for form, words in DRAWN_FORMS.items()},
        "scales": _scales(results, lines),
        "folds": _folds(results, lines, fits, folds),
    }  # fmt: skip


def _line(line: Group, families: Mapping[str, str]) -> dict[str, Any]:
    return {
        "method": line.method,
        "family": families.get(line.method, ""),
        "task": line.task,
        "proxy": line.proxy,
        "noise": line.noise,
        "worlds": line.world_names,
        "where": line.where,
        "run": line.n_seeds,
        "gold": _curve(line, "gold"),
        "proxy_curve": _curve(line, "proxy"),
        "peak": _place(line.places.peak),
        "end": _place(line.places.end),
    }


def _curve(line: Group, quantity: Quantity) -> list[list[float | int | None]]:
    """KL, mean, bounds and number of seeds at each place.

    One seed of several has an interval over prompts only, which is no part of the band.
    """
    means = line.means[quantity]
    bounded = [line.n_seeds == 1 or mean.score.n_seeds > 1 for mean in means]
    return [
        [short(mean.kl_nats) for mean in means],
        [short(mean.score.mean) for mean in means],
        [
            short(mean.score.low) if wide else None
            for mean, wide in zip(means, bounded, strict=True)
        ],
        [
            short(mean.score.high) if wide else None
            for mean, wide in zip(means, bounded, strict=True)
        ],
        [mean.score.n_seeds for mean in means],
    ]


def _place(place: Place | None) -> list[float | None] | None:
    return [short(place.kl_nats), short(place.gold.mean)] if place else None


def _scales(results: Results, lines: Sequence[Group]) -> dict[str, Any]:
    """Oracle fronts and common ranges of all panels of a task in the same worlds."""
    sets: dict[tuple[str, str], list[Group]] = {}
    for line in lines:
        sets.setdefault((line.task, line.world_names), []).append(line)
    scales = {}
    for (task, worlds), members in sets.items():
        kl_nats = [one.kl_nats for line in members for one in line.means["gold"]]
        far = max(kl_nats, default=1.0)
        oracles, best = [], [0.0]
        for world in members[0].worlds:
            front = results.front(task, world)
            near = front[(front["kl_nats"] > 0) & (front["kl_nats"] <= far)]
            if len(near):
                best.append(float(near["gold"].max()))
                oracles.append([shorten([0.0, *near["kl_nats"]]), shorten([0.0, *near["gold"]])])
        gold = [one.score.mean for line in members for one in line.means["gold"]]
        proxy = [one.score.mean for line in members for one in line.means["proxy"]]
        scales[f"{task}\n{worlds}"] = {
            "far": _far(kl_nats),
            "oracles": oracles,
            "limits": {
                "gold": shorten(robust_limits(gold)),
                "gold_oracle": shorten(robust_limits(gold, best)),
                "proxy": shorten(robust_limits([*gold, *proxy])),
                "proxy_oracle": shorten(robust_limits([*gold, *proxy], best)),
            },
        }
    return scales


def _far(kl_nats: Iterable[float]) -> float | None:
    """Where an axis of sqrt(KL) ends, sqrt(nats)."""
    return short(1.03 * float(np.sqrt(max([0.25, *kl_nats]))))


def _folds(
    results: Results,
    lines: Sequence[Group],
    fits: Iterable[GroupFit],
    keys: Iterable[FoldKey],
) -> list[dict[str, Any]]:
    """For each fold: its curves with single seeds and fits, and the ratios of KL estimators."""
    fits_of: dict[int, list[GroupFit]] = {}
    for one in fits:
        if one.form in DRAWN_FORMS:
            fits_of.setdefault(id(one.group), []).append(one)
    columns = ["task_label", "method_label", "status", "kl_nats", "kl_estimator"]
    moved = moved_points(results.points[[*columns, *set(COLUMNS.values())]])
    moved = moved.astype({"kl_estimator": object})  # Arrow strings are slow to compare in parts
    rows_of = dict(tuple(moved.groupby(["task_label", "method_label"])))
    folds = []
    for key in keys:
        mine = [(i, line) for i, line in enumerate(lines) if (line.task, line.method) == key]
        rows = rows_of.get(key, moved.iloc[:0])
        means = [one for _, line in mine for name in QUANTITIES for one in line.means[name]]
        folds.append(
            {
                "far": _far(one.kl_nats for one in means),
                "limits": shorten(robust_limits(one.score.mean for one in means)),
                "curves": [[i, _seeds(line), _fits(fits_of.get(id(line), ()))] for i, line in mine
                           if line.seeds],
                "ratios": [_ratios(rows, name) for name in other_estimators(rows)],
            }
        )  # fmt: skip
    return folds


def _seeds(line: Group) -> list[list[Any]]:
    """Measured points of every seed; those of a mean over worlds stand in its worlds' charts."""
    if line.parts:
        return []
    return [
        [seed.seed, shorten(seed.kl_nats_K), shorten(seed.gold_K)]
        for seed in line.seeds
        if seed.kl_nats_K.size
    ]


def _fits(fits: Iterable[GroupFit]) -> list[list[Any]]:
    """Each form as its mean over the seeds' fits, evenly along d between where points are."""
    drawn = []
    for one in fits:
        if not one.fits.fits_S:
            continue
        low = min(float(seed.d_K[seed.d_K > 0].min()) for seed in one.fitted_seeds)
        d_K = np.linspace(low, max(fit.d_high for fit in one.fits.fits_S), GRID)
        gold_SK = np.stack([fit.predict(d_K) for fit in one.fits.fits_S])
        ends = shorten(d_K[[0, -1]])
        drawn.append([one.form.value, *ends, shorten(gold_SK.mean(axis=0))])
    return drawn


def _ratios(rows: Any, name: str) -> list[Any]:
    ratios = read_ratios(rows, name)
    shown = ratios.median_M > 0
    return [
        ESTIMATORS[name],
        name,
        shorten(ratios.median_kl_M[shown]),
        shorten(ratios.median_M[shown]),
    ]


def short(value: float | None) -> float | None:
    """A number with four significant digits; None for what is missing."""
    if value is None or not np.isfinite(value):
        return None
    return float(f"{value:.4g}")


def shorten(values: Iterable[float]) -> list[float | None]:
    """Numbers with four significant digits."""
    return [short(float(value)) for value in values]
