"""Best-of-n far beyond the fitted n: gold, the fits drawn on, what was foretold dashed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from overopt.report.extrapolation.tables import NAMES, Extrapolated, name_settings
from overopt.report.figures.style import COLORS, FAINT, INK, Drawing, drawing_style, plain
from overopt.stats.fits.least_squares import Solution

_COLUMNS = 3
_CAPTION = (
    "Gain of gold of best-of-n over the initial policy, SDs, from a stream of samples; the mean "
    "over seeds in black, seeds in gray. Forms are fitted on the n left of the dotted line, each "
    "seed by itself, and dashed beyond; a band is one standard error over prompts of the mean "
    "seed. KL knows ties."
)


def draw_extrapolation(groups: Sequence[Extrapolated]) -> Drawing:
    """One panel per setting, on one scale of gold."""
    columns = min(_COLUMNS, len(groups))
    rows = -(-len(groups) // columns)
    with drawing_style():
        figure = Figure(figsize=(3.4 * columns + 0.4, 2.8 * rows + 0.6), layout="constrained")
        panels = figure.subplots(rows, columns, sharey=True, squeeze=False).ravel()
        for panel, group, name in zip(panels, groups, name_settings(groups), strict=False):
            _draw(panel, group)
            panel.set_title(plain(name, 44))
        for panel in panels[len(groups) :]:
            panel.set_visible(False)
        figure.supxlabel("sqrt(KL) from the initial policy (sqrt nats), ties known", fontsize=9)
        figure.supylabel("gain of gold (SDs)", fontsize=9)
        handles, labels = panels[0].get_legend_handles_labels()
        ncols = min(len(handles), 2 * columns)
        figure.legend(handles, labels, loc="outside upper center", ncols=ncols)
    return Drawing("extrapolation", "Best-of-n beyond what was fitted", _CAPTION, figure)


def _draw(panel: Axes, group: Extrapolated) -> None:
    found = group.found
    d_SK = np.sqrt([one.kl_nats_K for one in found.curves])
    gold_SK = np.stack([one.gold_K for one in found.curves])
    d_K, gold_K = d_SK.mean(axis=0), gold_SK.mean(axis=0)
    if len(d_SK) > 1:
        for one_K, value_K in zip(d_SK, gold_SK, strict=True):
            panel.plot(one_K, value_K, color=FAINT, linewidth=0.5)
    se_K = np.mean([one.gold_se_K for one in found.curves], axis=0)
    panel.fill_between(d_K, gold_K - se_K, gold_K + se_K, color=INK, alpha=0.12, linewidth=0)
    panel.plot(d_K, gold_K, "o", markersize=2.5, color=INK, label="gold")
    last = int(np.count_nonzero(found.curves[0].n_K <= found.fitted_up_to)) - 1
    panel.axvline(float(d_K[last]), color=FAINT, linestyle=":", linewidth=0.8)
    inside_G = np.linspace(0.0, d_K[last], 60)
    beyond_G = np.linspace(d_K[last], d_K[-1], 60)
    for color, test in zip(COLORS, found.tests, strict=False):
        fits = [one for one in test.solved if isinstance(one, Solution)]
        if not fits:
            continue
        for d_G, style, label in ((inside_G, "-", NAMES[test.form]), (beyond_G, "--", None)):
            mean_G = np.mean([one.predict(d_G) for one in fits], axis=0)
            panel.plot(d_G, mean_G, style, color=color, linewidth=1.1, label=label)
    span = float(gold_SK.max() - min(gold_SK.min(), 0.0)) or 1.0
    low, high = panel.get_ylim()
    floor, ceiling = float(gold_SK.min()) - span, float(gold_SK.max()) + span
    panel.set_ylim(max(low, floor), min(high, ceiling))
    top = panel.secondary_xaxis("top")
    shown = [k for k, n in enumerate(found.curves[0].n_K) if n in (1, 16, 1024, 65536)]
    top.set_xticks(d_K[shown], [f"{int(found.curves[0].n_K[k]):,}" for k in shown])
    top.tick_params(labelsize=6.5)
