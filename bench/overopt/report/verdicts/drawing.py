"""Draws a paper's figures from what was measured: curves of arms over seeds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure as Canvas

from overopt.report.figures.style import COLORS, FAINT, MARKERS, drawing_style, save_figure
from overopt.report.stored.schema import estimator_name
from overopt.report.verdicts.arms import Arm, ArmRows, Measured, SeedRows
from overopt.report.verdicts.figure import X_WORDS, Y_WORDS, Figure
from overopt.stats.arrays import Floats
from overopt.stats.intervals import t_interval

WIDTH_IN, HEIGHT_IN = 4.2, 3.1


def draw_figures(figures: Sequence[Figure], measured: Measured, folder: Path) -> dict[str, str]:
    """Write every figure that has a curve, as PNG and PDF.

    Returns:
        What its caption says, by name of the figure; figures without any curve are left out.
    """
    captions = {}
    for one in figures:
        there = [(label, arm) for label, arm in one.curves if _has(measured.get(arm))]
        if not there:
            continue
        with drawing_style():
            canvas = _draw(one, there, measured)
            save_figure(canvas, folder / one.name)
        captions[one.name] = _caption(one, there, measured)
    return captions


def _has(rows: ArmRows | None) -> bool:
    return rows is not None and bool(rows.worlds)


def _draw(one: Figure, curves: Sequence[tuple[str, Arm]], measured: Measured) -> Canvas:
    on_kl = one.x in ("kl", "sqrt_kl")
    panels = [""] + ([one.estimator] if on_kl and one.estimator else [])
    canvas = Canvas(figsize=(WIDTH_IN * len(panels), HEIGHT_IN), layout="constrained")
    axes = canvas.subplots(1, len(panels), squeeze=False, sharey=True)[0]
    for axis, estimator in zip(axes, panels, strict=True):
        for place, (label, arm) in enumerate(curves):
            color, marker = COLORS[place % len(COLORS)], MARKERS[place % len(MARKERS)]
            style = {"color": color, "marker": marker, "markersize": 3, "linewidth": 1.2}
            _curve(axis, one, measured[arm], one.y, estimator, label, style)
            if one.beside:
                dashed = {**style, "linestyle": "--", "linewidth": 0.9, "markersize": 0}
                _curve(axis, one, measured[arm], one.beside, estimator, "", dashed)
        named = X_WORDS[one.x]
        if on_kl and len(panels) > 1:
            named += f"\n{estimator_name(_short(estimator)) if estimator else 'our estimator'}"
        axis.set_xlabel(named)
        if one.log_x:
            axis.set_xscale("log")
        if one.log_y:
            axis.set_yscale("log")
        else:
            axis.axhline(0.0, color=FAINT, linewidth=0.6)
    axes[0].set_ylabel(Y_WORDS.get(one.y, one.y))
    handles, labels = axes[0].get_legend_handles_labels()
    canvas.legend(handles, labels, loc="outside lower center", ncols=2 * len(panels))
    return canvas


def _short(column: str) -> str:
    return column.removeprefix("kl_").removesuffix("_nats")


def _curve(
    axis: Any,
    one: Figure,
    rows: ArmRows,
    column: str,
    estimator: str,
    label: str,
    style: dict[str, Any],
) -> None:
    """A mean over seeds and worlds with its interval, at the places that all of them have."""
    curves = [_points(one, seed, column, estimator) for w in rows.worlds.values() for seed in w]
    keys = sorted({key for curve in curves for key in curve})
    whole = [key for key in keys if all(key in curve for curve in curves)]
    if not whole:
        return
    x_K = [float(np.mean([curve[key][0] for curve in curves])) for key in whole]
    over = [t_interval([curve[key][1] for curve in curves]) for key in whole]
    y_K = [interval.mean for interval in over]
    axis.plot(x_K, y_K, label=label or None, **style)
    if all(interval.low is not None for interval in over):
        low = [interval.low for interval in over]
        high = [interval.high for interval in over]
        axis.fill_between(x_K, low, high, color=style["color"], alpha=0.12, linewidth=0)


def _points(
    one: Figure, rows: SeedRows, column: str, estimator: str
) -> dict[float, tuple[float, float]]:
    """x and y of one seed by what points of several seeds have in common: budget, knob or step."""
    if one.x == "step" and rows.training:
        key_T, x_T = rows.training["step"], rows.training["step"]
        y_T = rows.training.get(column)
        if y_T is None:
            return {}
        return _finite(key_T, x_T, y_T)
    y_K = rows.column(column)
    key_K = np.where(np.isnan(rows.target_K), rows.columns["knob_value"], rows.target_K)
    key_K = np.where(rows.kl_K == 0.0, 0.0, key_K)
    if one.x == "step":
        x_K = rows.columns["step"]
    elif one.x == "proxy":
        x_K = rows.columns["proxy_mean"]
    else:
        x_K = rows.columns[estimator] if estimator else rows.kl_K
        x_K = np.where(rows.kl_K == 0.0, 0.0, x_K)
        x_K = np.sqrt(np.maximum(x_K, 0.0)) if one.x == "sqrt_kl" else x_K
    return _finite(key_K, x_K, y_K)


def _finite(key_K: Floats, x_K: Floats, y_K: Floats) -> dict[float, tuple[float, float]]:
    there = np.isfinite(key_K) & np.isfinite(x_K) & np.isfinite(y_K)
    triples = zip(key_K[there], x_K[there], y_K[there], strict=True)
    return {float(key): (float(x), float(y)) for key, x, y in triples}


def _caption(one: Figure, curves: Sequence[tuple[str, Arm]], measured: Measured) -> str:
    seeds = sorted({len(w) for _, arm in curves for w in measured[arm].worlds.values()})
    estimators = sorted({measured[arm].estimator for _, arm in curves} - {""})
    left_out = [label for label, arm in one.curves if (label, arm) not in curves]
    parts = [f"After {one.of}."]
    parts += [f"Solid: {Y_WORDS.get(one.y, one.y)}."]
    parts += [f"Dashed: {Y_WORDS.get(one.beside, one.beside)}."] if one.beside else []
    parts += [f"KL: {estimator_name('+'.join(estimators))}."] if estimators else []
    parts += [f"Mean over {' or '.join(map(str, seeds))} seeds, band: 95 % t interval over seeds."]
    parts += [f"Not run: {', '.join(left_out)}."] if left_out else []
    return " ".join([*parts, one.note]).strip()
