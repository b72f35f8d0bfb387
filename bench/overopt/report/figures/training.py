"""The figure of training: what was seen of each run, step by step."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from overopt.report.figures.panels import line_key
from overopt.report.figures.style import Drawing, Mark, assign_marks, drawing_style, plain
from overopt.report.noise_labels import name_noise
from overopt.report.stored.beside import RUN
from overopt.report.stored.methods import marked_methods
from overopt.report.stored.run import Run

QUANTITIES = {
    "kl_nats": "KL, cheap (nats)",
    "reward_mean": "proxy reward (SDs)",
    "loss": "loss",
    "gradient_norm": "gradient norm",
    "length_mean": "length (tokens)",
    "entropy_nats": "entropy (nats)",
    "accuracy": "accuracy on its pairs",
}
"""What is drawn, and what its axis says."""

_ROWS_PER_FIGURE = 4
_POINTS = 100
_WIDTH_IN, _HEIGHT_IN = 2.1, 1.7
CAPTION = (
    "Training, step by step: a thin line is one run of one seed. KL is the cheap estimate that "
    "steers a run, not the one that policies are measured by; the loss is in the method's own "
    "unit; the reward is the proxy's. Of longer runs 100 steps, evenly spaced, are drawn."
)


def draw_training(runs: Sequence[Run]) -> list[Drawing]:
    """A row of panels per method, a column per quantity, a color per proxy and noise.

    Args:
        runs: of one task; those that stored no trajectory are left out.
    """
    by_method: dict[str, list[pd.DataFrame]] = {}
    for run in runs:
        if len(run.trajectory):
            name = marked_methods(run.record, run.points["method"])
            by_method.setdefault(name, []).append(run.trajectory)
    tables = {
        name: pd.concat([part.assign(source=i) for i, part in enumerate(parts)])
        for name, parts in sorted(by_method.items())
    }
    marks = assign_marks([name for table in tables.values() for name in _labels(table)])
    names = list(tables)
    cuts = [names[i : i + _ROWS_PER_FIGURE] for i in range(0, len(names), _ROWS_PER_FIGURE)]
    return [
        Drawing(
            f"training_{number}" if len(cuts) > 1 else "training",
            "Training",
            CAPTION,
            _draw({name: tables[name] for name in cut}, marks),
        )
        for number, cut in enumerate(cuts, start=1)
    ]


def _draw(tables: dict[str, pd.DataFrame], marks: dict[str, Mark]) -> Figure:
    shown = [name for name in QUANTITIES if any(t[name].notna().any() for t in tables.values())]
    size = (_WIDTH_IN * len(shown) + 0.4, _HEIGHT_IN * len(tables) + 0.5)
    with drawing_style():
        figure = Figure(figsize=size, layout="constrained")
        panels = figure.subplots(len(tables), len(shown), squeeze=False)
        for row, (method, table) in enumerate(tables.items()):
            for column, quantity in enumerate(shown):
                panel = panels[row, column]
                _draw_runs(panel, table, quantity, marks)
                if row == 0:
                    panel.set_title(QUANTITIES[quantity], loc="left")
                if column == 0:
                    panel.set_ylabel(plain(method))
                if row == len(tables) - 1:
                    panel.set_xlabel("step")
        labels = sorted({label for table in tables.values() for label in _labels(table)})
        keys = [line_key(label, marks[label]._replace(marker="")) for label in labels]
        figure.legend(handles=keys, loc="outside upper left", ncols=min(len(keys), 4))
    return figure


def _draw_runs(panel: Axes, table: pd.DataFrame, quantity: str, marks: dict[str, Mark]) -> None:
    """Every run as a line through the steps at which the quantity was seen."""
    if table[quantity].isna().all():
        panel.set_axis_off()
        return
    for _, rows in table.groupby(["source", *RUN], dropna=False, sort=False):
        seen = rows[rows[quantity].notna()].sort_values("step", kind="stable")
        if len(seen) > _POINTS:  # a page holds many runs; peaks between two points are lost
            kept = np.linspace(0, len(seen) - 1, _POINTS).round().astype(int)
            seen = seen.iloc[kept]
        color = marks[_labels(rows)[0]].color
        panel.plot(seen["step"], seen[quantity], color=color, linewidth=0.8, alpha=0.7)


def _labels(table: pd.DataFrame) -> list[str]:
    """Proxy and noise of each run, each once."""
    pairs = table[["proxy", "noise"]].drop_duplicates().itertuples(index=False, name=None)
    return [f"{proxy}, {name_noise(noise)}" for proxy, noise in pairs]
