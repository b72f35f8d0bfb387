"""How figures look, and how they are written byte for byte the same each time.

Colors are Okabe and Ito's, told apart by color-blind readers; every color has its own marker
as well.

Reference:
    Okabe and Ito, "Color Universal Design: How to make figures and presentations that are friendly
    to colorblind people", 2008, https://jfly.uni-koeln.de/color/
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from overopt.report.names import plain as plain

INK = "#1a1a1b"
"""Text, axes and marks without a color of their own."""

FAINT = "#8c8c8d"
"""Grid and reference lines."""

COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "h")


SETTINGS: dict[Any, Any] = {
    "pdf.fonttype": 42,
    "font.family": ["DejaVu Sans"],
    "font.size": 8.5,
    "axes.titlesize": 9,
    "axes.labelsize": 8.5,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.formatter.use_mathtext": False,
    "grid.color": FAINT,
    "grid.alpha": 0.25,
    "grid.linewidth": 0.5,
    "text.color": INK,
    "text.parse_math": False,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "legend.handlelength": 1.8,
    "legend.columnspacing": 1.4,
    "legend.borderaxespad": 0.1,
    "figure.dpi": 100,
    "savefig.dpi": 160,
}


class Mark(NamedTuple):
    """How one label is drawn in every figure of a report."""

    color: str
    marker: str


class Drawing(NamedTuple):
    """A figure with the words that go with it.

    Attributes:
        name: stem of its files.
        title: heading on the page.
        caption: what is shown, in which unit, estimated how.
        figure: the drawing.
    """

    name: str
    title: str
    caption: str
    figure: Figure


@contextmanager
def drawing_style() -> Iterator[None]:
    """Apply the report's matplotlib settings inside a block only."""
    with mpl.rc_context({"backend": "agg"} | SETTINGS):
        mpl.rcParams.update(SETTINGS)
        yield


def assign_marks(labels: Sequence[str]) -> dict[str, Mark]:
    """A color and marker for every label, the same wherever it appears."""
    return {
        label: Mark(COLORS[i % len(COLORS)], MARKERS[i % len(MARKERS)])
        for i, label in enumerate(sorted(set(labels)))
    }


def save_figure(figure: Figure, stem: Path) -> list[Path]:
    """Write PNG (white) and PDF without dates or version numbers, and return their paths."""
    png, pdf = stem.with_name(f"{stem.name}.png"), stem.with_name(f"{stem.name}.pdf")
    with drawing_style():
        _settle(figure)
        figure.savefig(png, facecolor="white", metadata={"Software": None})
        nothing = {"CreationDate": None, "ModDate": None, "Creator": None, "Producer": None}
        figure.savefig(pdf, metadata=nothing)
    return [png, pdf]


def _settle(figure: Figure) -> None:
    """Lay a figure out once, so that every format shows the same and none pays for it again."""
    engine = figure.get_layout_engine()
    if engine is not None:
        FigureCanvasAgg(figure)
        engine.execute(figure)
        figure.set_layout_engine(None)
