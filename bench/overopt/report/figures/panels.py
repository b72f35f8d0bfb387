"""Grids of small panels and the marks that all figures share: means, bands, rugs, legends."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D

from overopt.report.figures.style import FAINT, INK, Mark, plain
from overopt.report.limits import robust_limits
from overopt.stats.arrays import Floats

ROWS_PER_FIGURE, COLUMNS_PER_FIGURE = 4, 4
PANELS_PER_FIGURE = 12
LONGEST_TITLE = 38
"""Letters of a title that the width of a panel holds."""
PANEL_WIDTH_IN, PANEL_HEIGHT_IN = 2.75, 1.95
_LEGEND_LINE_IN = 0.18

Key = tuple[str, str]
"""Row and column of a panel."""


class Block(NamedTuple):
    """The panels of one figure, line by line.

    aligned: whether lines and columns are those of a grid without holes; otherwise the panels
        stand one after another.
    suffix: tells the figures apart.
    """

    keys: list[Key]
    n_columns: int
    aligned: bool
    suffix: str


class Grid(NamedTuple):
    """A figure of small panels; ``axes`` maps (row, column) to its panel."""

    figure: Figure
    axes: dict[Key, Axes]


def split_grid(
    rows: Sequence[str], columns: Sequence[str], present: Collection[Key]
) -> Iterator[Block]:
    """Cut a grid into figures: of at most four by four panels, or of twelve where it has holes.

    Args:
        rows: in the order of the page.
        columns: likewise.
        present: the panels that show anything; others are left out.
    """
    grid = [[(row, column) for column in columns if (row, column) in present] for row in rows]
    if len(columns) > 1 and all(len(line) == len(columns) for line in grid):
        cuts = [
            [line[j : j + COLUMNS_PER_FIGURE] for line in grid[i : i + ROWS_PER_FIGURE]]
            for i in range(0, len(rows), ROWS_PER_FIGURE)
            for j in range(0, len(columns), COLUMNS_PER_FIGURE)
        ]
        figures = [([key for line in cut for key in line], len(cut[0])) for cut in cuts]
        aligned = True
    else:
        keys = [key for line in grid for key in line]
        parts = [keys[i : i + PANELS_PER_FIGURE] for i in range(0, len(keys), PANELS_PER_FIGURE)]
        figures = [(part, wrap_columns(len(part))) for part in parts]
        aligned = False
    for number, (keys, n_columns) in enumerate(figures, start=1):
        yield Block(keys, n_columns, aligned, f"_{number}" if len(figures) > 1 else "")


def make_grid(block: Block, titles: Mapping[Key, str], notes: Mapping[Key, str]) -> Grid:
    """Empty panels: one y axis for all, one x axis per line of a grid, a title on each panel.

    Args:
        block: which panels, and how they stand.
        titles: the title of each panel.
        notes: a small line below the title of each panel; may be empty.
    """
    keys, n_columns = block.keys, block.n_columns
    n_rows = -(-len(keys) // n_columns)
    wider = 1.6 if n_columns == 1 else 1.0
    figure = Figure(
        figsize=(
            1.0 + PANEL_WIDTH_IN * wider * n_columns,
            0.9 + (PANEL_HEIGHT_IN * min(wider, 1.25) + 0.45) * n_rows,
        ),
        layout=ConstrainedLayoutEngine(h_pad=0.07, w_pad=0.06),
    )
    array = figure.subplots(n_rows, n_columns, sharex=True, sharey=True, squeeze=False)
    for panel in array.ravel()[len(keys) :]:
        panel.set_axis_off()
    axes = dict(zip(keys, array.ravel(), strict=False))
    for panel in array.ravel()[max(len(keys) - n_columns, 0) : len(keys)]:
        panel.tick_params(labelbottom=True)  # of a last row with holes, the row above shows its own
    for number, (key, panel) in enumerate(axes.items()):
        first = number - number % n_columns
        noted = any(notes[other] for other in keys[first : first + n_columns])
        title = titles[key]
        if len(title) > LONGEST_TITLE and n_columns > 1:
            title = "\n".join(title.rsplit(" · ", 1))
        panel.set_title(title, loc="left", pad=14 if noted else 5)
        panel.margins(x=0.03)
        if notes[key]:
            _write_note(panel, notes[key])
    return Grid(figure, axes)


def wrap_columns(panels: int) -> int:
    """How many panels stand side by side when they have no columns of their own."""
    return {1: 1, 2: 2, 3: 3, 4: 2}.get(panels, 3)


def _write_note(panel: Axes, note: str) -> None:
    """A small line between the title and the panel."""
    panel.annotate(
        note,
        xy=(0.0, 1.0),
        xytext=(0.0, 3.0),
        xycoords="axes fraction",
        textcoords="offset points",
        fontsize=7,
        style="italic",
        color=INK,
    )


def line_key(label: str, mark: Mark, line: Literal["-", "--"] = "-") -> Line2D:
    """Legend entry of a curve."""
    return Line2D([], [], color=mark.color, marker=mark.marker, markersize=4, linestyle=line,
                  linewidth=1.4, label=plain(label))  # fmt: skip


def put_legend(figure: Figure, curves: Sequence[Artist], signs: Sequence[Artist] = ()) -> None:
    """Curves in a legend above the panels, signs for missing things in one below."""
    if curves:
        columns = _make_room(figure, curves)
        figure.legend(handles=list(curves), loc="outside upper left", ncols=columns)
    if signs:
        columns = _make_room(figure, signs)
        figure.legend(handles=list(signs), loc="outside lower left", ncols=columns)


def _make_room(figure: Figure, handles: Sequence[Artist]) -> int:
    """How many columns entries stand in; the figure grows by their lines beyond the first."""
    columns = _legend_columns(figure, handles)
    width_in, height_in = figure.get_size_inches()
    further = -(-len(handles) // columns) - 1
    figure.set_size_inches(width_in, height_in + _LEGEND_LINE_IN * further)
    return columns


def _legend_columns(figure: Figure, handles: Sequence[Artist]) -> int:
    """As many columns as the width of the figure holds; matplotlib fills one after another."""
    width_in = float(figure.get_size_inches()[0]) - 0.3
    widths_in = np.array([0.62 + 0.068 * len(str(handle.get_label())) for handle in handles])
    for columns in range(len(handles), 1, -1):
        parts = np.array_split(widths_in, columns)
        if sum(part.max() for part in parts) <= width_in:
            return columns
    return 1


def limit_y(grid: Grid, foot: float = 0.0, least: Sequence[float] = (0.0,)) -> None:
    """Fit the common y axis to the bulk of points and lines (`robust_limits`) and mark the rest.

    Bands do not count: with two seeds a t interval is wide enough to flatten every curve, so it
    is cut by the panel's edge instead. Neither does a curve that runs away: a triangle at the edge
    stands where it leaves.

    Args:
        grid: the panels, with everything drawn.
        foot: share of the height to leave free below for rugs and bars, between 0 and 1.
        least: values that the axis always holds.
    """
    drawn = [_scores(line) for panel in grid.axes.values() for line in _curves(panel)]
    low, high = robust_limits(np.concatenate([np.zeros(1), *drawn]), least)
    next(iter(grid.axes.values())).set_ylim(low - foot * (high - low) / (1.0 - foot), high)
    for panel in grid.axes.values():
        for line in _curves(panel):
            _mark_beyond(panel, line, low, high)


def _curves(panel: Axes) -> list[Line2D]:
    """What stands for results, in the panel's own units."""
    return [line for line in panel.lines if line.get_transform() == panel.transData]


def _scores(line: Line2D) -> Floats:
    return np.asarray(line.get_ydata(), np.float64)


def _mark_beyond(panel: Axes, line: Line2D, low: float, high: float) -> None:
    """A triangle at the edge for the furthest point of a curve that leaves the panel."""
    score_K, x_K = _scores(line), np.asarray(line.get_xdata(), np.float64)
    for beyond_K, edge, sign in ((low - score_K, 0.0, "v"), (score_K - high, 1.0, "^")):
        if beyond_K.size and beyond_K.max() > 0.0:
            panel.plot(
                [x_K[int(beyond_K.argmax())]],
                [edge],
                linestyle="none",
                marker=sign,
                markersize=5,
                color=line.get_color(),
                transform=panel.get_xaxis_transform(),
                clip_on=False,
                zorder=7,
            )


def draw_zero(panel: Axes) -> None:
    """The score of the initial policy."""
    panel.axhline(0.0, color=FAINT, linewidth=0.8, zorder=1)
