"""Kinds of figures beside curves: bars, scatters, computed lines, best-of-n beyond its pool."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.patches import Rectangle

from overopt.report.verdicts.arms import Arm, ArmRows, Beyond, Measured
from overopt.report.verdicts.redrawn.along import Figure
from overopt.report.verdicts.redrawn.beyond import BeyondFigure
from overopt.report.verdicts.redrawn.computed import ComputedFigure, ComputedLine
from overopt.report.verdicts.redrawn.levels import LevelFigure
from overopt.report.verdicts.redrawn.scatter import ScatterFigure
from overopt.report.verdicts.shown.drawing import can_draw, draw_figure
from overopt.report.verdicts.statistics import Gold, Minus, Value
from overopt.stats.fits.forms import Form

from .planted import arm_rows

LOW, HIGH, SHORT = Arm("dpo"), Arm("ipo"), Arm("slic")
MEASURED: Measured = {
    LOW: arm_rows(lambda d: d, noise=0.0),
    HIGH: arm_rows(lambda d: 2.0 * d, noise=0.0),
    SHORT: arm_rows(lambda d: d, budgets=(0.5, 1.0, 4.0), noise=0.0),
}


def heights(figure: LevelFigure) -> list[float]:
    canvas, _ = draw_figure(figure, MEASURED)
    return [bar.get_height() for bar in canvas.axes[0].patches if isinstance(bar, Rectangle)]


def test_bars_stand_on_what_says_nothing() -> None:
    """Gold at 9 nats is 3 and 6."""
    lines = (("gold", ((0.0, Gold(LOW)), (1.0, Gold(HIGH)))),)
    figure = LevelFigure("b", "figure 8", "method", "gold", lines, ticks=("dpo", "ipo"))
    assert heights(figure) == pytest.approx([3.0, 6.0])
    assert heights(replace(figure, rest=1.0)) == pytest.approx([2.0, 5.0])
    canvas, caption = draw_figure(figure, MEASURED)
    assert [tick.get_text() for tick in canvas.axes[0].get_xticklabels()] == ["dpo", "ipo"]
    assert not canvas.legends, "one kind of bar needs no key"
    assert "5 seeds" in caption and "whiskers" in caption


def test_bars_of_a_level_lie_side_by_side() -> None:
    lines = tuple((arm.method, ((0.0, Gold(arm)),)) for arm in (LOW, HIGH))
    figure = LevelFigure("b", "figure 8", "width", "gold", lines, ticks=("16",))
    canvas, _ = draw_figure(figure, MEASURED)
    first, second = (bar.get_window_extent().transformed(canvas.axes[0].transData.inverted())
                     for bar in canvas.axes[0].patches)  # fmt: skip
    assert first.x1 <= second.x0
    assert first.x0 + second.x1 == pytest.approx(0.0)


def test_a_common_end_is_that_of_the_arms_that_share_it() -> None:
    """`SHORT` ends at 4 nats, the others at 9: gold at 4 nats is 2, 4 and 2."""
    levels = (
        ("first", ((0.0, Gold(LOW)), (1.0, Gold(LOW)))),
        ("second", ((0.0, Gold(HIGH)), (1.0, Gold(SHORT)))),
    )
    figure = LevelFigure("b", "figure 8", "pair", "gold", levels, ticks=("a", "b"))
    assert heights(figure) == pytest.approx([3.0, 3.0, 6.0, 2.0])
    assert heights(replace(figure, end="level")) == pytest.approx([3.0, 2.0, 6.0, 2.0])
    assert heights(replace(figure, end="figure")) == pytest.approx([2.0, 2.0, 4.0, 2.0])


def test_a_level_needs_all_arms_that_it_shares_an_end_with() -> None:
    absent = Arm("cdpo")
    lines = (("gold", ((0.0, Gold(LOW)), (1.0, Gold(absent)))),)
    figure = LevelFigure("b", "figure 8", "method", "gold", lines, ticks=("dpo", "cdpo"))
    assert heights(figure) == pytest.approx([3.0])
    assert "Not measured: 1 of 2 places" in draw_figure(figure, MEASURED)[1]
    assert not can_draw(replace(figure, end="figure"), MEASURED)


def test_a_scatter_has_a_dot_for_each_arm_or_each_seed() -> None:
    dots = tuple((Value(arm, "auroc", 0.0), Gold(arm)) for arm in (LOW, HIGH, Arm("cdpo")))
    figure = ScatterFigure("s", "figure 5", "auroc", "gold", (("all", dots),))
    canvas, caption = draw_figure(figure, MEASURED)
    line = canvas.axes[0].lines[0]
    assert np.asarray(line.get_xdata()).tolist() == pytest.approx([0.7, 0.7])
    assert np.asarray(line.get_ydata()).tolist() == pytest.approx([3.0, 6.0])
    assert "Not measured: 1 of 3 dots" in caption
    assert figure.arms == (LOW, HIGH, Arm("cdpo"))
    each, caption = draw_figure(replace(figure, each_seed=True), MEASURED)
    assert len(np.asarray(each.axes[0].lines[0].get_xdata())) == 10
    assert "A dot is a seed" in caption
    assert not can_draw(figure, {})


def test_dots_pair_statistics_over_the_seeds_that_both_have() -> None:
    rows = MEASURED[HIGH]
    fewer = ArmRows({0: rows.worlds[0][:3]}, rows.estimator)
    dots = ((Gold(LOW), Minus(Gold(HIGH), Gold(LOW))),)
    figure = ScatterFigure("s", "figure 5", "x", "y", (("", dots),), each_seed=True)
    canvas, caption = draw_figure(figure, {**MEASURED, HIGH: fewer})
    assert np.asarray(canvas.axes[0].lines[0].get_ydata()).tolist() == pytest.approx([3.0] * 3)
    assert "of 3" in caption


def test_dots_of_runs_are_policies_past_the_initial_one() -> None:
    """Six budgets of five seeds; the x axis is a column that is no KL."""
    rows = MEASURED[LOW]
    seeds = tuple(
        replace(one, columns={**one.columns, "implicit": one.columns["auroc"]})
        for one in rows.worlds[0]
    )
    figure = Figure("d", "figure 4", "implicit", "gold_mean", (("dpo", LOW),), dots=True)
    canvas, caption = draw_figure(figure, {LOW: ArmRows({0: seeds}, "rb")})
    x, y = (np.asarray(axis) for axis in canvas.axes[0].lines[0].get_data())
    assert x.shape == (30,) and 0.7 not in x
    assert sorted(set(np.round(y, 6))) == pytest.approx(np.sqrt([0.5, 1.0, 2.0, 4.0, 6.0, 9.0]))
    assert "A dot is a policy; 5 seeds" in caption
    assert not can_draw(figure, MEASURED), "no run stored the column"
    along_kl, _ = draw_figure(replace(figure, x="sqrt_kl"), MEASURED)
    x, y = (np.asarray(axis) for axis in along_kl.axes[0].lines[0].get_data())
    assert x == pytest.approx(y) and x.shape == (30,), "gold is the root of KL"


def test_computed_lines_are_means_over_instances_and_need_no_run() -> None:
    x = np.array([1.0, 10.0, 100.0])
    lines = (
        ComputedLine("mean", x, np.array([[1.0, 2.0, 3.0], [3.0, 2.0, 5.0]])),
        ComputedLine("known", x, np.array([[4.0, 5.0, 6.0]]), "dashed"),
        ComputedLine("dots", x, np.array([[4.0, 5.0, 6.0]]), "dots"),
    )
    figure = ComputedFigure("c", "figure 1", "n", "value", lambda: lines, log_x=True)
    assert can_draw(figure, {}) and figure.arms == ()
    canvas, caption = draw_figure(figure, {})
    axis = canvas.axes[0]
    assert np.asarray(axis.lines[0].get_ydata()).tolist() == [2.0, 2.0, 4.0]
    assert [line.get_linestyle() for line in axis.lines] == ["-", "--", "None"]
    assert axis.get_xscale() == "log"
    assert len(axis.collections) == 1, "a single instance has no band"
    assert "Computed, without runs" in caption and "2 instances" in caption


def test_forms_fitted_on_small_n_are_drawn_on_to_the_largest() -> None:
    """Gold is d (1 - d / 4) up to n = 1,000, and falls to nothing beyond."""
    n_K = np.array([2.0**k for k in range(17)])
    kl_K = np.log(n_K) - (n_K - 1.0) / n_K
    d_K = np.sqrt(kl_K)
    gold_K = np.where(n_K <= 1000, d_K * (1.0 - 0.25 * d_K), 0.0)
    rows = MEASURED[LOW]
    seeds = tuple(replace(one, beyond=Beyond(n_K, kl_K, gold_K)) for one in rows.worlds[0])
    figure = BeyondFigure("f", "figure 1a", LOW, (Form.BON,))
    measured: Measured = {LOW: ArmRows({0: seeds}, "exact")}
    canvas, caption = draw_figure(figure, measured)
    gold, fitted, drawn_on = canvas.axes[0].lines[:3]
    assert np.asarray(gold.get_ydata()).tolist() == pytest.approx(gold_K.tolist())
    d, y = (np.asarray(axis) for axis in drawn_on.get_data())
    assert y == pytest.approx(d * (1.0 - 0.25 * d), abs=1e-6)
    assert d.min() == pytest.approx(d_K[n_K <= 1000].max()) and d.max() == pytest.approx(d_K.max())
    assert (fitted.get_linestyle(), drawn_on.get_linestyle()) == ("-", "--")
    assert "n = 65,536" in caption and "5 of 5 seeds" in caption
    assert not can_draw(figure, MEASURED), "nothing was drawn beyond the pool"
    fewer = (replace(seeds[0], beyond=None), *seeds[1:])
    _, caption = draw_figure(figure, {LOW: ArmRows({0: fewer}, "exact")})
    assert "4 of 5 seeds" in caption


def test_a_form_that_cannot_be_fitted_is_left_out() -> None:
    """Two places of n within what is fitted; the power form has three coefficients."""
    n_K = np.array([1.0, 2.0, 4096.0])
    kl_K = np.log(n_K) - (n_K - 1.0) / n_K
    rows = MEASURED[LOW]
    seeds = tuple(replace(one, beyond=Beyond(n_K, kl_K, kl_K)) for one in rows.worlds[0])
    figure = BeyondFigure("f", "figure 1a", LOW, (Form.POWER,))
    canvas, caption = draw_figure(figure, {LOW: ArmRows({0: seeds}, "exact")})
    labels = [line.get_label() for line in canvas.axes[0].lines]
    assert "gold" in labels and not [label for label in labels if "form" in str(label)]
    assert "left out" in caption
