"""The first charts without a script: the same curves as one plain drawing."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

WIDTH, HEIGHT, MARGIN, RIGHT = 560, 300, 40, 110
COLORED = 5
TICKS_NATS = (0, 1, 2, 4, 8, 16, 32, 64, 128)

Line = Mapping[str, Any]


def draw_fallback(data: Mapping[str, Any], task: str, worlds: str) -> str:
    """An ``<svg>`` of gold against sqrt(KL), one panel below another for each proxy and noise.

    Args:
        data: what the page's script draws (`chart_data`).
        task: the task that is shown.
        worlds: the worlds that are shown.
    """
    panels: dict[tuple[str, str], list[Line]] = {}
    for line in data["lines"]:
        if line["task"] == task and line["worlds"] == worlds:
            panels.setdefault((line["proxy"], line["noise"]), []).append(line)
    ordered = sorted(panels.values(), key=len, reverse=True)
    if not ordered:
        return ""
    peaks = sorted((one for one in ordered[0] if one["peak"]), key=lambda one: -one["peak"][1])
    colors = {one["method"]: slot for slot, one in enumerate(peaks[:COLORED])}
    scale = data["scales"][f"{task}\n{worlds}"]
    parts = []
    for place, members in enumerate(ordered):
        title = f"{members[0]['proxy']} · {data['noises'][members[0]['noise']]}"
        drawn = "".join(_panel(members, colors, scale))
        parts.append(
            f"<g transform='translate(0 {place * (HEIGHT + 40)})'>"
            f"<text y='14' font-weight='600'>{escape(title)}</text>"
            f"<g transform='translate(0 20)'>{drawn}</g></g>"
        )
    size = f"{WIDTH} {len(ordered) * (HEIGHT + 40)}"
    return (
        f"<svg role='img' aria-label='Gold against KL; the numbers are in the table' "
        f"viewBox='0 0 {size}' style='--width:{WIDTH}px' font-size='12'>{''.join(parts)}</svg>"
    )


def _panel(
    members: Sequence[Line], colors: Mapping[str, int], scale: Mapping[str, Any]
) -> Iterator[str]:
    low, high = (float(limit) for limit in scale["limits"]["gold_oracle"])
    far = float(scale["far"])

    def x(kl_nats: float) -> int:
        return round(MARGIN + (WIDTH - MARGIN - RIGHT) * math.sqrt(kl_nats) / far)

    def y(gold: float) -> int:
        return round((HEIGHT - 20) * (high - min(max(gold, low), high)) / (high - low))

    def path(kl_K: Sequence[float], gold_K: Sequence[float]) -> str:
        return " ".join(f"{x(kl)},{y(gold)}" for kl, gold in zip(kl_K, gold_K, strict=True))

    yield f"<path d='M{MARGIN} {y(0)}H{WIDTH - RIGHT}' stroke='var(--soft)'/>"
    for kl_nats in TICKS_NATS:
        if math.sqrt(kl_nats) <= far:
            yield f"<text x='{x(kl_nats)}' y='{HEIGHT - 4}' text-anchor='middle'>{kl_nats}</text>"
    for gold in range(int(low), int(high) + 1):
        yield f"<text x='{MARGIN - 6}' y='{y(gold) + 4}' text-anchor='end'>{gold}</text>"
    for kl_K, gold_K in scale["oracles"]:
        yield _polyline(path(kl_K, gold_K), "var(--ink)", 1, " stroke-dasharray='5 3'")
    for line in sorted(members, key=lambda one: one["method"] in colors):
        slot = colors.get(line["method"])
        color = "var(--faint)" if slot is None else f"var(--c{slot})"
        yield _polyline(path(*line["gold"][:2]), color, 1 if slot is None else 2)
    ends = sorted(
        (y(line["gold"][1][-1]), x(line["gold"][0][-1]), colors[line["method"]], line["method"])
        for line in members
        if line["method"] in colors and line["gold"][0]
    )
    before = -20
    for end_y, end_x, slot, method in ends:
        before = max(end_y, before + 14)
        yield (
            f"<text x='{end_x + 5}' y='{before + 4}' style='fill:var(--c{slot})'>"
            f"{escape(method[:16])}</text>"
        )


def _polyline(points: str, color: str, width: int, dash: str = "") -> str:
    return (
        f"<polyline points='{points}' fill='none' stroke='{color}' stroke-width='{width}'{dash}/>"
    )
