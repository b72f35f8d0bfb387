"""A curve as lines of text: gold against sqrt(KL), for terminals."""

from __future__ import annotations

import math
from collections.abc import Sequence

from overopt.commands.cards.curves import Budget

ROWS, COLUMNS = 9, 52


def plot_lines(budgets: Sequence[Budget]) -> list[str]:
    """Gold (SDs) of each budget over sqrt(KL), with intervals and the level of the initial policy.

    ``o`` is a mean, ``|`` its 95 % interval, ``.`` the initial policy's gold. The ends of both axes
    are written beside them. Intervals are cut where they would leave less than half of the height
    to the means.
    """
    means = [one.gold for one in budgets]
    low, high = min(0.0, *means), max(0.0, *means)
    room = max(high - low, 0.1) / 2
    low = max(min([low, *(one.low for one in budgets if one.low is not None)]), low - room)
    high = min(max([high, *(one.high for one in budgets if one.high is not None)]), high + room)
    farthest = math.sqrt(max(one.kl_nats for one in budgets)) or 1.0
    span = high - low or 1.0

    def row_of(gold: float) -> int:
        return round((high - min(max(gold, low), high)) / span * (ROWS - 1))

    grid = [[" "] * COLUMNS for _ in range(ROWS)]
    grid[row_of(0.0)] = ["."] * COLUMNS
    for one in budgets:
        column = round(math.sqrt(one.kl_nats) / farthest * (COLUMNS - 1))
        if one.low is not None and one.high is not None:
            for row in range(row_of(one.high), row_of(one.low) + 1):
                grid[row][column] = "|"
    for one in budgets:
        column = round(math.sqrt(one.kl_nats) / farthest * (COLUMNS - 1))
        grid[row_of(one.gold)][column] = "o"
    labels = {0: f"{high:.2f}", ROWS - 1: f"{low:.2f}", row_of(0.0): "0"}
    lines = [
        f"{labels.get(number, ''):>6} {''.join(line).rstrip()}" for number, line in enumerate(grid)
    ]
    end = f"{farthest**2:.3g} nats"
    return [*lines, f"{'':>6} 0{'sqrt(KL)':^{COLUMNS - 1 - len(end)}}{end}"]
