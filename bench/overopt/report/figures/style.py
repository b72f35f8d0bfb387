"""How figures look, and how they are written byte for byte the same each time.

Colors are Okabe and Ito's, told apart by color-blind readers; every color has its own marker
as well. Text, axes and grid are drawn in stand-in grays that the page replaces by the color of
its text, and colors become the page's variables, so that one figure serves light and dark.

Reference:
    Okabe and Ito, "Color Universal Design: How to make figures and presentations that are friendly
    to colorblind people", 2008, https://jfly.uni-koeln.de/color/
"""

from __future__ import annotations

import io
import re
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
    "svg.hashsalt": "overopt",
    "svg.fonttype": "none",
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


def inline_svg(figure: Figure, prefix: str, description: str) -> str:
    """A figure as an ``<svg>`` element for the page: no prologue, no links, ids made unique.

    Args:
        figure: the drawing.
        prefix: letters put before each id, distinct within the page.
        description: text for readers that do not see the figure; already escaped for HTML.
    """
    stream = io.StringIO()
    with drawing_style():
        _settle(figure)
        nothing = {"Date": None, "Creator": None, "Format": None, "Type": None}
        figure.savefig(stream, format="svg", transparent=True, metadata=nothing)
    text = stream.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"\s*<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'\s(?:xmlns(?::\w+)?|version)="[^"]*"', "", text)
    text = re.sub(r"\s*<defs>\s*<style.*?</style>\s*</defs>", "", text, count=1, flags=re.DOTALL)
    text = re.sub(r"font-family: [^;\"]*;? ?", "", text)
    text = re.sub(r'\sid="([^"]*)"', rf' id="{prefix}-\1"', text)
    text = re.sub(r'(?:xlink:)?href="#([^"]*)"', rf'href="#{prefix}-\1"', text)
    text = re.sub(r"url\(#([^)]*)\)", rf"url(#{prefix}-\1)", text)
    text = text.replace(INK, "currentColor").replace(FAINT, "currentColor")
    for number, color in enumerate(COLORS):  # the page lightens them on a dark ground
        text = text.replace(color.lower(), f"var(--c{number})")
    size = re.match(r'<svg[^>]*? width="([\d.]+)pt"', text)
    width = f' style="--width:{float(size[1]) * 4 / 3:.0f}px"' if size else ""
    text = re.sub(r'^<svg([^>]*?) (?:width|height)="[^"]*"', r"<svg\1", text)
    text = re.sub(r'^<svg([^>]*?) (?:width|height)="[^"]*"', r"<svg\1", text)
    return text.replace("<svg", f'<svg role="img" aria-label="{description}"{width}', 1).strip()


def _settle(figure: Figure) -> None:
    """Lay a figure out once, so that every format shows the same and none pays for it again."""
    engine = figure.get_layout_engine()
    if engine is not None:
        FigureCanvasAgg(figure)
        engine.execute(figure)
        figure.set_layout_engine(None)
