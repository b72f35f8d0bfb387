"""Marks of curves that are levels of one setting, and axes that such figures need."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.colors import to_hex
from matplotlib.ticker import FuncFormatter, NullFormatter

from overopt.report.figures.style import COLORS, INK, MARKERS, Mark

_NUMBER = re.compile(r"(?<![\w.])\d+(?:\.\d+)?(?![\w.])")
_PALEST = 0.88
"""Share of the colormap that is used: beyond it, yellow is lost on white."""
_EIGHTH = "#882255"
"""Wine, of Paul Tol's palettes: with black, two more hues for figures of up to eight curves."""
_LONGEST_LABEL = 36
"""Characters of a label that fit beside an axis of 3 inches."""


def marks_in_order(labels: Sequence[str]) -> list[Mark]:
    """A color and marker for each label, in their order.

    Labels that name levels of one setting (``64 pairs``, ``128 pairs``; ``no penalty``,
    ``penalty 0.1``) run from dark to pale along the setting, so that the order can be seen; others
    are told apart by hue.
    """
    levels = levels_of(labels)
    markers = [MARKERS[place % len(MARKERS)] for place in range(len(labels))]
    if levels is None:
        hues = (*COLORS, INK, _EIGHTH)
        colors = [hues[place % len(hues)] for place in range(len(labels))]
    else:
        ramp = mpl.colormaps["viridis"]
        place_of = {level: place for place, level in enumerate(sorted(levels))}
        step = _PALEST / (len(levels) - 1)
        colors = [to_hex(ramp(step * place_of[level])) for level in levels]
    return [Mark(color, marker) for color, marker in zip(colors, markers, strict=True)]


def levels_of(labels: Sequence[str]) -> list[float] | None:
    """The number in each label, where three or more differ in nothing else; else None.

    ``no penalty`` among ``penalty 0.1`` and its like counts as 0.
    """
    numbers = [_NUMBER.findall(label) for label in labels]
    words = {_NUMBER.sub("", label).strip() for label, found in zip(labels, numbers, strict=True)
             if len(found) == 1}  # fmt: skip
    if len(labels) < 3 or len(words) != 1:
        return None
    (word,) = words
    levels = []
    for label, found in zip(labels, numbers, strict=True):
        if len(found) != 1 and label != f"no {word}":
            return None
        levels.append(float(found[0]) if found else 0.0)
    return levels if len(set(levels)) == len(levels) else None


def label_y(words: str) -> str:
    """A label that does not run out of its figure."""
    return "\n".join(textwrap.wrap(words, _LONGEST_LABEL))


def plain_log_ticks(axis: Any) -> None:
    """Powers of ten as numbers: names from outside keep figures from reading formulas."""
    axis.set_major_formatter(FuncFormatter(lambda value, place: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())
