"""Draws best-of-n beyond the pool, and what forms fitted on small n foretold of it."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure as Canvas
from matplotlib.lines import Line2D

from overopt.report.figures.levels import label_y, marks_in_order
from overopt.report.figures.style import FAINT, INK
from overopt.report.verdicts.arms import Beyond, Measured
from overopt.report.verdicts.redrawn.beyond import BeyondFigure
from overopt.report.verdicts.shown.canvas import HEIGHT_IN, WIDTH_IN, centers, draw_band
from overopt.report.verdicts.shown.curves import seeds_of
from overopt.stats.intervals import t_interval
from overopt.stats.verdicts.curves import mean_fit


def streams_of(one: BeyondFigure, measured: Measured) -> list[Beyond]:
    """What was drawn of each seed that goes beyond what is fitted, on the same grid of n."""
    there = [seed.beyond for seed in seeds_of(measured.get(one.arm)) if seed.beyond is not None]
    there = [beyond for beyond in there if beyond.n_K[-1] > one.fitted_up_to]
    shortest = min((len(beyond.n_K) for beyond in there), default=0)
    return [Beyond(*(column[:shortest] for column in beyond)) for beyond in there]


def draw(one: BeyondFigure, measured: Measured) -> Canvas:
    """Gold with its band, and each form: solid as far as it was fitted, dashed from there on."""
    canvas = Canvas(figsize=(WIDTH_IN, HEIGHT_IN), layout="constrained")
    axis = canvas.subplots()
    streams = streams_of(one, measured)
    d_K = np.sqrt(np.mean([beyond.kl_nats_K for beyond in streams], axis=0))
    gold_SK = np.stack([beyond.gold_K for beyond in streams])
    found_K = [t_interval(of_n) for of_n in gold_SK.T]
    is_fitted_K = streams[0].n_K <= one.fitted_up_to
    labels = [
        "gold",
        *(f"{form.value} form, fitted on n ≤ {one.fitted_up_to:,}" for form in one.forms),
    ]
    gold, *of_forms = marks_in_order(labels)
    axis.plot(
        d_K, centers(found_K), color=gold.color, marker=gold.marker, markersize=3, linestyle="",
        label=labels[0],
    )  # fmt: skip
    draw_band(axis, d_K.tolist(), found_K, gold.color)
    near = [(beyond.kl_nats_K[is_fitted_K], beyond.gold_K[is_fitted_K]) for beyond in streams]
    until = float(d_K[is_fitted_K].max())
    for form, mark, label in zip(one.forms, of_forms, labels[1:], strict=True):
        for low, high, dashes in ((0.0, until, "-"), (until, float(d_K.max()), "--")):
            d_D = np.linspace(low, high, 60)
            foretold_D = mean_fit(form, near, d_D)
            if foretold_D is None:
                continue
            axis.plot(d_D, foretold_D, color=mark.color, linestyle=dashes, linewidth=1.2,
                      label=label if dashes == "-" else "_beyond")  # fmt: skip
    axis.axhline(0.0, color=FAINT, linewidth=0.6)
    axis.set_xlabel("√ KL from the initial policy, ties known (√ nats)")
    axis.set_ylabel(label_y("gold (SDs of the initial policy)"))
    handles, told = axis.get_legend_handles_labels()
    handles.append(Line2D([], [], color=INK, linestyle="--", linewidth=1.0))
    canvas.legend(handles, [*told, "extrapolated"], loc="outside lower center", ncols=2)
    return canvas


def caption(one: BeyondFigure, measured: Measured) -> str:
    """What is shown, how far, and over how many seeds."""
    streams = streams_of(one, measured)
    words = (
        f"After {one.of}. Best-of-n up to n = {int(streams[0].n_K[-1]):,}; each form is fitted to "
        f"each seed up to n = {one.fitted_up_to:,} and drawn on, mean over seeds. Mean over "
        f"{len(streams)} of {len(seeds_of(measured.get(one.arm)))} seeds, band: 95 % t interval "
        "over seeds. A form that cannot be fitted to one of them is left out."
    )
    return f"{words} {one.note}".strip()
