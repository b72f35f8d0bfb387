"""A curve in characters."""

from __future__ import annotations

from overopt.commands.cards.curves import Budget
from overopt.commands.cards.plot import COLUMNS, ROWS, plot_lines


def budget(
    kl_nats: float, gold: float, low: float | None = None, high: float | None = None
) -> Budget:
    return Budget(kl_nats, kl_nats, gold, low, high, 2, None, None)


def test_gold_stands_over_sqrt_kl() -> None:
    """1 nat is half of the way to 4 nats: column 25.5, rounded to 26; gold .5 is half of the way
    from 1 down to 0."""
    *lines, axis = plot_lines([budget(0, 0), budget(1, 1.0), budget(4, 0.5)])
    assert len(lines) == ROWS
    marks = {
        (row, column - 7)
        for row, line in enumerate(lines)
        for column, mark in enumerate(line)
        if mark == "o"
    }
    assert marks == {(ROWS - 1, 0), (0, 26), ((ROWS - 1) // 2, COLUMNS - 1)}
    assert lines[0].startswith("  1.00 ") and lines[-1].startswith("     0 ")
    assert axis.endswith("4 nats") and len(axis) == 7 + COLUMNS


def test_intervals_are_drawn_and_wide_ones_are_cut() -> None:
    lines = plot_lines([budget(0, 0), budget(4, 1.0, -90.0, 90.0)])[:-1]
    assert lines[0].startswith("  1.50 ") and lines[-1].startswith(" -0.50 ")
    assert [line[-1] for line in lines].count("|") == ROWS - 1


def test_a_curve_that_never_left_is_drawn() -> None:
    assert any("o" in line for line in plot_lines([budget(0, 0)]))
