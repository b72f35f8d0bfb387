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
from overopt.report.verdicts.figure import X_WORDS, Y_WORDS, AnyFigure, Figure
from overopt.report.verdicts.level_figure import LevelFigure
from overopt.report.verdicts.shown.levels import draw_levels, levels_caption, lines_of
from overopt.stats.arrays import Floats
from overopt.stats.fits.forms import Form
from overopt.stats.intervals import t_interval
from overopt.stats.verdicts.curves import fit_curve

WIDTH_IN, HEIGHT_IN = 4.2, 3.1


def draw_figures(figures: Sequence[AnyFigure], measured: Measured, folder: Path) -> dict[str, str]:
    """Write every figure that has a curve, as PNG and PDF.

    Returns:
        What its caption says, by name of the figure; figures without any curve are left out.
    """
    captions = {}
    for one in figures:
        if not can_draw(one, measured):
            continue
        with drawing_style():
            canvas, captions[one.name] = draw_figure(one, measured)
            save_figure(canvas, folder / one.name)
    return captions


def can_draw(one: AnyFigure, measured: Measured) -> bool:
    """Whether anything that a figure shows was measured."""
    return bool(
        lines_of(one, measured) if isinstance(one, LevelFigure) else curves_of(one, measured)
    )


def curves_of(one: Figure, measured: Measured) -> list[tuple[str, Arm]]:
    """The curves of a figure that were measured, with their labels."""
    return [(label, arm) for label, arm in one.curves if _has(measured.get(arm))]


def draw_figure(one: AnyFigure, measured: Measured) -> tuple[Canvas, str]:
    """A figure of which at least one curve was measured, and its caption."""
    if isinstance(one, LevelFigure):
        with drawing_style():
            drawn = draw_levels(one, measured, WIDTH_IN, HEIGHT_IN)
        return drawn, levels_caption(one, measured)
    there = curves_of(one, measured)
    with drawing_style():
        return _draw(one, there, measured), _caption(one, there, measured)


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
    seeds = [seed for of_world in rows.worlds.values() for seed in of_world]
    curves = [_points(one, seed, column, estimator) for seed in seeds]
    whole = [key for key in curves[0] if all(key in curve for curve in curves)]
    x_of = {key: float(np.mean([curve[key][0] for curve in curves])) for key in whole}
    keys = sorted(whole, key=lambda key: x_of[key])
    if not keys:
        return
    x_K = [x_of[key] for key in keys]
    over = [t_interval([curve[key][1] for curve in curves]) for key in keys]
    axis.plot(x_K, [interval.mean for interval in over], label=label or None, **style)
    if one.form is not None and label and not estimator:
        _fit(axis, one.form, seeds, column, max(x_K), style["color"])
    if all(interval.low is not None for interval in over):
        low = [interval.low for interval in over]
        high = [interval.high for interval in over]
        axis.fill_between(x_K, low, high, color=style["color"], alpha=0.12, linewidth=0)


def _fit(
    axis: Any, form: Form, seeds: Sequence[SeedRows], column: str, far: float, color: str
) -> None:
    """The mean over seeds of the form fitted to each of them, against sqrt(KL)."""
    d = np.linspace(0.0, far, 80)
    fitted = []
    for seed in seeds:
        try:
            fitted.append(fit_curve(seed.kl_K, seed.column(column), form).predict(d))
        except ValueError:
            return  # a mean over fewer seeds than are drawn would be another curve
    axis.plot(d, np.mean(fitted, axis=0), color=color, linestyle=":", linewidth=1.0)


Key = tuple[str, float]
"""What points of several seeds have in common: a budget, a value of the knob, or a step."""


def _points(
    one: Figure, rows: SeedRows, column: str, estimator: str
) -> dict[Key, tuple[float, float]]:
    """x and y of one seed's points; none of what was not stored."""
    if one.x == "step" and column in rows.training:
        step_T = rows.training["step"]
        return _finite("step", step_T, step_T, rows.training[column])
    if column != "kl_nats" and column not in rows.columns:
        return {}
    y_K = rows.column(column)
    if one.x == "step":
        x_K = rows.columns["step"]
    elif one.x == "sqrt_forward_kl":
        forward_K = rows.columns.get("forward_kl_nats", np.full_like(y_K, np.nan))
        x_K = np.sqrt(forward_K)
    elif one.x == "proxy":
        x_K = rows.columns["proxy_mean"]
    else:
        x_K = rows.columns[estimator] if estimator else rows.kl_K
        x_K = np.where(rows.kl_K == 0.0, 0.0, x_K)
        x_K = np.sqrt(np.maximum(x_K, 0.0)) if one.x == "sqrt_kl" else x_K
    target_K = np.where(rows.kl_K == 0.0, 0.0, rows.target_K)
    knob_K = np.where(np.isnan(target_K), rows.columns["knob_value"], np.nan)
    told_K = rows.columns["knob_value"][rows.kl_K > 0.0]
    if (
        np.unique(told_K[np.isfinite(told_K)]).size < 2
    ):  # along step: the knob tells no places apart
        knob_K = np.full_like(knob_K, np.nan)
    return _finite("budget", target_K, x_K, y_K) | _finite("knob", knob_K, x_K, y_K)


def _finite(kind: str, key_K: Floats, x_K: Floats, y_K: Floats) -> dict[Key, tuple[float, float]]:
    there = np.isfinite(key_K) & np.isfinite(x_K) & np.isfinite(y_K)
    triples = zip(key_K[there], x_K[there], y_K[there], strict=True)
    return {(kind, float(key)): (float(x), float(y)) for key, x, y in triples}


def _caption(one: Figure, curves: Sequence[tuple[str, Arm]], measured: Measured) -> str:
    seeds = sorted({len(w) for _, arm in curves for w in measured[arm].worlds.values()})
    estimators = sorted({measured[arm].estimator for _, arm in curves} - {""})
    left_out = [label for label, arm in one.curves if (label, arm) not in curves]
    parts = [f"After {one.of}."]
    parts += [f"Solid: {Y_WORDS.get(one.y, one.y)}."]
    parts += [f"Dashed: {Y_WORDS.get(one.beside, one.beside)}."] if one.beside else []
    if one.form is not None:
        parts += [f"Dotted: the {one.form.value} form, fitted to each seed, mean over seeds."]
    parts += [f"KL: {estimator_name('+'.join(estimators))}."] if estimators else []
    parts += [f"Mean over {' or '.join(map(str, seeds))} seeds, band: 95 % t interval over seeds."]
    parts += [f"Not run: {', '.join(left_out)}."] if left_out else []
    return " ".join([*parts, one.note]).strip()
