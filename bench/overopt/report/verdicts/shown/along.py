"""Draws curves of arms over seeds."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from matplotlib.figure import Figure as Canvas
from matplotlib.lines import Line2D

from overopt.report.figures.levels import label_y, marks_in_order, plain_log_ticks
from overopt.report.figures.style import FAINT, INK
from overopt.report.stored.schema import estimator_name
from overopt.report.verdicts.arms import Arm, ArmRows, Measured
from overopt.report.verdicts.redrawn.along import (
    KEY_WORDS,
    NOTHING_GAINED,
    X_WORDS,
    Y_WORDS,
    Figure,
)
from overopt.report.verdicts.shown.canvas import HEIGHT_IN, WIDTH_IN, centers, draw_band
from overopt.report.verdicts.shown.curves import Curve, policies_of, read_curve, seeds_of
from overopt.stats.verdicts.curves import mean_fit

MARKED = 40
"""Places of a curve up to which each has a marker; those of every step of training have none."""


def curves_of(one: Figure, measured: Measured) -> list[tuple[str, Arm]]:
    """The curves of a figure of which anything was measured, with their labels."""
    return [
        (label, arm) for label, arm in one.curves if read_curve(one.x, measured.get(arm), one.y)
    ]


def draw(one: Figure, measured: Measured) -> Canvas:
    """A figure of which at least one curve was measured."""
    curves = curves_of(one, measured)
    on_kl = one.x in ("kl", "sqrt_kl")
    panels = [""] + ([one.estimator] if on_kl and one.estimator else [])
    canvas = Canvas(figsize=(WIDTH_IN * len(panels), HEIGHT_IN), layout="constrained")
    axes = canvas.subplots(1, len(panels), squeeze=False, sharey=True)[0]
    marks = marks_in_order([label for label, _ in curves])
    for axis, estimator in zip(axes, panels, strict=True):
        for (label, arm), mark in zip(curves, marks, strict=True):
            style = {"color": mark.color, "marker": mark.marker, "markersize": 3, "linewidth": 1.2}
            if one.dots:
                x_P, y_P = policies_of(one.x, measured[arm], one.y)
                axis.plot(x_P, y_P, **style | {"label": label, "linestyle": "", "alpha": 0.6})
                continue
            _curve(axis, one, measured[arm], one.y, estimator, {**style, "label": label})
            if one.beside:
                dashed = {**style, "linestyle": "--", "linewidth": 0.9, "markersize": 0}
                _curve(axis, one, measured[arm], one.beside, estimator, dashed)
        named = X_WORDS[one.x]
        if on_kl and len(panels) > 1:
            named += f"\n{estimator_name(_short(estimator)) if estimator else 'our estimator'}"
        axis.set_xlabel(named)
        _scale(axis, one)
    axes[0].set_ylabel(label_y(Y_WORDS.get(one.y, one.y)))
    handles, labels = axes[0].get_legend_handles_labels()
    handles += _key(one, axes[0])
    labels += [str(handle.get_label()) for handle in handles[len(labels) :]]
    canvas.legend(handles, labels, loc="outside lower center", ncols=2 * len(panels))
    return canvas


def _short(column: str) -> str:
    return column.removeprefix("kl_").removesuffix("_nats")


def _scale(axis: Any, one: Figure) -> None:
    """Log axes where the figure asks for them; else a line where nothing has been gained."""
    if one.log_x:
        axis.set_xscale("log")
        plain_log_ticks(axis.xaxis)
    if one.log_y:
        axis.set_yscale("log")
        plain_log_ticks(axis.yaxis)
        # a band may reach down to 0, that is without end: the means say how far is shown
        x, y = np.concatenate([np.asarray(line.get_data(), np.float64) for line in axis.lines], 1)
        shown = (y > 0.0) & ((x > 0.0) | (not one.log_x))
        if shown.any():
            axis.set_ylim(bottom=float(y[shown].min()) / 2.0)
    elif one.y in NOTHING_GAINED:
        axis.axhline(NOTHING_GAINED[one.y], color=FAINT, linewidth=0.6)


def _key(one: Figure, axis: Any) -> list[Line2D]:
    """What solid, dashed and dotted lines are, where there is more than one kind."""
    kinds: list[tuple[Literal["-", "--", ":"], str]] = [("-", KEY_WORDS.get(one.y, one.y))]
    kinds += [("--", KEY_WORDS.get(one.beside, one.beside))] if one.beside else []
    dotted = any(line.get_linestyle() == ":" for line in axis.lines)
    kinds += [(":", f"{one.form.value} form")] if one.form is not None and dotted else []
    if len(kinds) < 2:
        return []
    return [Line2D([], [], color=INK, linestyle=s, linewidth=1.0, label=w) for s, w in kinds]


def _curve(
    axis: Any, one: Figure, rows: ArmRows, column: str, estimator: str, style: dict[str, Any]
) -> None:
    """A mean with its band; the paper's form over it, where it is ours and has a label."""
    curve = read_curve(one.x, rows, column, estimator)
    if curve is None:
        return
    kept = [k for k in range(len(curve.x_K)) if k != curve.apart and _has_place(one, curve, k)]
    x_K, over_K = [curve.x_K[k] for k in kept], [curve.over_K[k] for k in kept]
    if curve.apart is not None and _has_place(one, curve, curve.apart):
        alone = curve.x_K[curve.apart], curve.over_K[curve.apart].mean
        axis.plot(*alone, **style | {"label": "_initial"})
    dense = {"marker": ""} if len(x_K) > MARKED else {}
    axis.plot(x_K, centers(over_K), **style | dense)
    if one.form is not None and "label" in style and not estimator:
        d_D = np.linspace(0.0, max(curve.x_K), 80)
        by_seed = [(seed.kl_K, seed.column(column)) for seed in seeds_of(rows)]
        fitted_D = mean_fit(one.form, by_seed, d_D)
        if fitted_D is not None:
            axis.plot(d_D, fitted_D, color=style["color"], linestyle=":", linewidth=1.0)
    draw_band(axis, x_K, over_K, style["color"])


def _has_place(one: Figure, curve: Curve, k: int) -> bool:
    """Whether a point lies on the figure's axes: 0 and what is below have no logarithm."""
    mean = curve.over_K[k].mean
    along = curve.x_K[k] > 0.0 or not one.log_x
    return along and (not one.log_y or (mean is not None and mean > 0.0))


def caption(one: Figure, measured: Measured) -> str:
    """What is shown, over how many seeds, and which curves were not run."""
    curves = curves_of(one, measured)
    seeds = sorted({len(w) for _, arm in curves for w in measured[arm].worlds.values()})
    estimators = sorted({measured[arm].estimator for _, arm in curves} - {""})
    left_out = [label for label, arm in one.curves if (label, arm) not in curves]
    parts = [f"After {one.of}."]
    parts += [] if one.dots else [f"Solid: {Y_WORDS.get(one.y, one.y)}."]
    parts += [f"Dashed: {Y_WORDS.get(one.beside, one.beside)}."] if one.beside else []
    if one.form is not None:
        parts += [f"Dotted: the {one.form.value} form, fitted to each seed, mean over seeds."]
    parts += [f"KL: {estimator_name('+'.join(estimators))}."] if estimators else []
    number = " or ".join(map(str, seeds))
    parts += (
        [f"A dot is a policy; {number} seeds."]
        if one.dots
        else [f"Mean over {number} seeds, band: 95 % t interval over seeds."]
    )
    parts += [f"Not run: {', '.join(left_out)}."] if left_out else []
    return " ".join([*parts, one.note]).strip()
