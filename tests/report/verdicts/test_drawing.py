"""Curves of a paper's figures: means over seeds at places that all of them have."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure as Canvas

from overopt.report.figures.levels import levels_of, marks_in_order
from overopt.report.figures.style import COLORS
from overopt.report.verdicts.arms import Arm, ArmRows, SeedRows
from overopt.report.verdicts.beside.merging import AtKnob
from overopt.report.verdicts.redrawn.along import Figure
from overopt.report.verdicts.redrawn.levels import LevelFigure
from overopt.report.verdicts.shown.drawing import can_draw, draw_figure

ARM = Arm("dpo")
FIGURE = Figure("gold", "figure 1", "kl", "gold_mean", (("dpo", ARM),))


def seed(number: int, kl: list[float], target: list[float], knob: list[float]) -> SeedRows:
    kl_K = np.array(kl)
    columns = {"gold_mean": 10.0 * kl_K, "knob_value": np.array(knob)}
    return SeedRows(number, kl_K, np.array(target), columns, None, {})


def drawn(*seeds: SeedRows) -> tuple[list[float], list[float]]:
    canvas, caption = draw_figure(FIGURE, {ARM: ArmRows({0: seeds}, "exact")})
    assert "2 seeds" in caption
    (line,) = [one for one in canvas.axes[0].lines if one.get_label() == "dpo"]
    return list(map(float, np.asarray(line.get_xdata()))), list(
        map(float, np.asarray(line.get_ydata()))
    )


def test_points_that_were_taken_for_no_budget_are_not_averaged_over_seeds() -> None:
    nan = float("nan")
    # along step every point has the same knob; extras lie at 0.1 nats in one seed, at 8 in another
    x, y = drawn(
        seed(0, [0.0, 0.1, 1.0, 2.0], [nan, nan, 1.0, 2.0], [nan, 0.05, 0.05, 0.05]),
        seed(1, [0.0, 1.2, 2.2, 8.0], [nan, 1.0, 2.0, nan], [nan, 0.05, 0.05, 0.05]),
    )
    assert x == pytest.approx([0.0, 1.1, 2.1])
    assert y == pytest.approx([0.0, 11.0, 21.0])


def test_no_line_leads_to_where_every_seed_leapt() -> None:
    nan = float("nan")
    seeds = [
        replace(seed(n, [0.0, 6.0, 9.0], [nan, 5.5, 9.0], [nan, 0.1, 0.1]), from_nats=leapt_to)
        for n, leapt_to in enumerate((6.0, 6.0))
    ]
    assert drawn(*seeds) == ([6.0, 9.0], [60.0, 90.0])
    one_did_not = [seeds[0], replace(seeds[1], from_nats=0.0)]
    assert drawn(*one_did_not) == ([0.0, 6.0, 9.0], [0.0, 60.0, 90.0])


def test_points_along_a_knob_belong_together_by_its_value() -> None:
    nan = float("nan")
    x, y = drawn(
        seed(0, [0.0, 1.0, 2.0], [nan, nan, nan], [nan, 4.0, 16.0]),
        seed(1, [0.0, 1.4, 2.4], [nan, nan, nan], [nan, 4.0, 16.0]),
    )
    assert x == pytest.approx([0.0, 1.2, 2.2])
    assert y == pytest.approx([0.0, 12.0, 22.0])


def test_a_column_that_an_arm_has_not_stored_is_no_curve_of_it() -> None:
    nan, other = float("nan"), Arm("ipo")
    plain = [seed(n, [0.0, 1.0, 2.0], [nan, 1.0, 2.0], [nan, 0.1, 0.1]) for n in (0, 1)]
    steps = {"step": np.array([0.0, 5.0, 9.0]), "ranking": np.array([0.5, 0.6, 0.7])}
    ranked = [replace(one, columns={**one.columns, **steps}) for one in plain]
    figure = Figure("r", "figure 2", "step", "ranking", (("dpo", ARM), ("ipo", other)))
    rows = {ARM: ArmRows({0: tuple(ranked)}, "rb"), other: ArmRows({0: tuple(plain)}, "rb")}
    canvas, _ = draw_figure(figure, rows)
    lines = {one.get_label(): one for one in canvas.axes[0].lines}
    assert np.asarray(lines["dpo"].get_xdata()).tolist() == [0.0, 5.0, 9.0]
    assert np.asarray(lines["dpo"].get_ydata()).tolist() == [0.5, 0.6, 0.7]
    assert "ipo" not in lines


def test_statistics_are_drawn_over_the_levels_that_were_measured() -> None:
    """Gold where the knob is 1 is ten times the KL there, 2 and 2.4 in the two seeds."""
    nan, other = float("nan"), Arm("ipo")
    seeds = [
        seed(n, [0.0, 1.0, kl], [nan, 1.0, nan], [nan, 0.5, 1.0]) for n, kl in enumerate((2.0, 2.4))
    ]
    levels = tuple((x, AtKnob(arm, "gold_mean", 1.0)) for x, arm in ((0.0, ARM), (0.5, other)))
    figure = LevelFigure("l", "figure 3", "share", "gold", (("arc", levels), ("line", levels[1:])))
    rows = {ARM: ArmRows({0: tuple(seeds)}, "rb")}
    canvas, caption = draw_figure(figure, rows)
    line = canvas.axes[0].lines[0]
    assert np.asarray(line.get_xdata()).tolist() == [0.0]
    assert np.asarray(line.get_ydata()) == pytest.approx([22.0])
    assert "2 seeds" in caption and "Not run: line" in caption
    assert figure.arms == (ARM, other)
    assert can_draw(figure, rows) and not can_draw(figure, {})


def test_figures_without_a_point_are_not_drawn() -> None:
    """The arm was run, and stored nothing of what the figure shows."""
    rows = {ARM: ArmRows({0: (seed(0, [0.0, 1.0], [0.0, 1.0], [float("nan"), 0.1]),)}, "rb")}
    assert can_draw(FIGURE, rows)
    assert not can_draw(Figure("c", "figure 4", "kl", "csi", (("dpo", ARM),)), rows)


def test_the_legend_says_what_dashed_is() -> None:
    nan = float("nan")
    one = seed(0, [0.0, 1.0, 2.0], [nan, 1.0, 2.0], [nan, 0.1, 0.1])
    both = replace(one, columns={**one.columns, "proxy_mean": one.columns["gold_mean"] * 2.0})
    figure = replace(FIGURE, beside="proxy_mean")
    canvas, _ = draw_figure(figure, {ARM: ArmRows({0: (both,)}, "rb")})
    assert legend_of(canvas) == ["dpo", "gold", "proxy"]
    alone, _ = draw_figure(FIGURE, {ARM: ArmRows({0: (both,)}, "rb")})
    assert legend_of(alone) == ["dpo"], "one kind of line needs no key"


def legend_of(canvas: Canvas) -> list[str]:
    return [text.get_text() for text in canvas.legends[0].get_texts()]


def test_a_log_axis_shows_the_means_and_plain_numbers() -> None:
    """Seeds so far apart that the band goes below 0."""
    nan = float("nan")
    seeds = [seed(n, [0.0, x, 100.0 * x], [nan, 1.0, 2.0], [nan, 0.1, 0.1])
             for n, x in enumerate((0.01, 2.0))]  # fmt: skip
    figure = Figure("k", "figure 5", "kl", "kl_nats", (("dpo", ARM),), log_y=True)
    canvas, _ = draw_figure(figure, {ARM: ArmRows({0: tuple(seeds)}, "rb")})
    axis = canvas.axes[0]
    assert axis.get_ylim()[0] == pytest.approx((0.01 + 2.0) / 2 / 2)
    (line,) = [one for one in axis.lines if one.get_label() == "dpo"]
    assert np.asarray(line.get_ydata()).tolist() == pytest.approx([1.005, 100.5]), (
        "0 has no place there"
    )
    canvas.draw_without_rendering()
    assert "10" in [label.get_text() for label in axis.get_yticklabels()]


def test_levels_of_one_setting_run_from_dark_to_pale() -> None:
    labels = ["128 pairs", "64 pairs", "4096 pairs"]
    assert levels_of(labels) == [128.0, 64.0, 4096.0]
    assert levels_of(["no penalty", "penalty 0.01", "penalty 0.1"]) == [0.0, 0.01, 0.1]
    assert levels_of(["width 8", "width 16"]) is None, "two are told apart by hue"
    assert levels_of(["dpo", "ipo", "slic"]) is None
    assert levels_of(["bon", "mean of 2", "average of 2"]) is None
    assert levels_of(["penalty 1", "penalty 2", "no weight"]) is None

    def lightness(color: str) -> float:
        red, green, blue = to_rgb(color)
        return 0.3 * red + 0.59 * green + 0.11 * blue

    middle, first, last = (lightness(mark.color) for mark in marks_in_order(labels))
    assert first < middle < last < 0.85
    many = marks_in_order([f"{n} pairs" for n in range(9)])
    assert len({mark.color for mark in many}) == 9
    assert [m.color for m in marks_in_order(["dpo", "ipo"])] == list(COLORS[:2])
    assert len({mark.color for mark in marks_in_order(list("abcdefgh"))}) == 8
