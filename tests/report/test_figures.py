"""Figures: what is drawn, what is only marked, and that no panel becomes spaghetti."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from overopt.report.figures.along_kl import draw_front, draw_gap, draw_gold
from overopt.report.figures.estimators import draw_estimators
from overopt.report.figures.fits import draw_fits, draw_residuals
from overopt.report.figures.style import PER_PANEL, assign_marks, inline_svg, plain
from overopt.report.fits import fit_group
from overopt.report.groups import group_points
from overopt.report.noise_labels import name_noise
from overopt.report.stored.reading import read_results

from .synthetic import write_runs


def test_unreached_budgets_are_marked_at_the_foot_and_not_drawn(run_root: Path) -> None:
    groups = [g for g in group_points(read_results([run_root]).points) if g.method == "bon"]
    (drawing,) = draw_gold(groups, "d")
    panel = drawing.figure.axes[0]
    crosses = [line for line in panel.lines if line.get_marker() == "x"]
    positions = sorted({round(float(np.ravel(line.get_xdata())[0]), 4) for line in crosses})
    assert positions == [round(float(np.sqrt(budget)), 4) for budget in (8.0, 16.0, 32.0)]
    assert all(line.get_transform() == panel.get_xaxis_transform() for line in crosses)
    drawn = [line.get_xdata() for line in panel.lines if line.get_transform() == panel.transData]
    assert float(np.concatenate(drawn).max()) < np.sqrt(5.0)


def test_every_axis_names_its_estimator_and_unit(run_root: Path) -> None:
    results = read_results([run_root])
    groups = group_points(results.points)
    fits = [one for group in groups for one in fit_group(group)]
    drawings = [
        *draw_gold(groups, "d"),
        *draw_gold(groups, "kl"),
        *draw_gap(groups),
        *draw_fits(fits),
        *draw_residuals(fits),
        *draw_front(groups, {0: results.front("reviews", 0)}),
        *draw_estimators(results.points),
    ]
    assert len({drawing.name for drawing in drawings}) == len(drawings) == 8
    for drawing in drawings:
        for panel in (axes for axes in drawing.figure.axes if axes.axison):
            label = panel.get_xlabel()
            assert "nats" in label
            assert "pool estimate" in label or "Rao-Blackwellized" in label


def test_failed_and_few_seeds_are_said_on_the_panel(run_root: Path) -> None:
    groups = group_points(read_results([run_root]).points)
    (drawing,) = draw_gold(groups, "d")
    notes = [text.get_text() for panel in drawing.figure.axes for text in panel.texts]
    assert "single: seed 3 failed; exploratory: single" in notes
    counts = [note for note in notes if "/" in note]
    assert len(counts) == len(notes) - 1
    # ipo, single: seeds 3 and 4 stop at 24 nats; with noise, seed 3 failed
    assert sorted(counts) == ["3/5", "3/5", "4/5"]


def test_many_proxies_are_cut_into_panels(tmp_path: Path) -> None:
    proxies = tuple(f"ensemble-{number:02d}" for number in range(12))
    write_runs(tmp_path, methods=("dpo",), proxies=proxies, noises=("0",), seeds=(0,), failed=())
    groups = group_points(read_results([tmp_path]).points)
    (drawing,) = draw_gold(groups, "d")
    assert len(drawing.figure.axes) == 3
    for panel in drawing.figure.axes:
        means = [line for line in panel.lines if line.get_linestyle() == "-"]
        assert len(means) <= PER_PANEL + 1  # and the line at 0
    titles = [panel.get_title(loc="left") for panel in drawing.figure.axes]
    assert titles[0] == "dpo (1/3) · no label noise"
    assert [drawn.name for drawn in draw_gap(groups)] == ["gap_1", "gap_2", "gap_3"]


def test_colors_and_markers_belong_to_a_label() -> None:
    marks = assign_marks(["b", "a", "b", "c"])
    assert marks == assign_marks(["c", "b", "a"])
    assert len({mark.color for mark in marks.values()}) == 3
    assert len({mark.marker for mark in marks.values()}) == 3


@pytest.mark.parametrize(
    ("label", "words"),
    [
        ("0", "no label noise"),
        ("0.25", "25 % labels flipped"),
        ("random:0.5", "50 % labels random"),
        ("bt:1", "Bradley-Terry labels, T = 1"),
        ("odd", "noise odd"),
    ],
)
def test_noise_is_named_in_words(label: str, words: str) -> None:
    assert name_noise(label) == words


def test_names_from_results_are_made_printable_and_short() -> None:
    assert plain("a\nb\x00") == "a\ufffdb\ufffd"
    assert len(plain("x" * 500)) == 32


def test_svg_has_no_link_and_no_formula(tmp_path: Path) -> None:
    write_runs(tmp_path, methods=("dpo",), proxies=("$x^$", "<b>"), noises=("0",), seeds=(0, 1))
    groups = group_points(read_results([tmp_path]).points)
    svg = inline_svg(draw_gold(groups, "d")[0].figure, "f", "words")
    assert "http" not in svg
    assert "$x^$" in svg
    assert "&lt;b&gt;" in svg
    assert "<b>" not in svg
    assert 'href="#f-' in svg
    assert "currentColor" in svg


def test_a_wide_band_does_not_flatten_the_curves(tmp_path: Path) -> None:
    write_runs(tmp_path, methods=("dpo",), proxies=("single",), noises=("0",), seeds=(0, 1))
    groups = group_points(read_results([tmp_path]).points)
    panel = draw_gold(groups, "d")[0].figure.axes[0]
    low, high = panel.get_ylim()
    golds = [float(seed.gold_K.max()) for seed in groups[0].seeds]
    band = groups[0].means["gold"][-1].score
    assert band.high is not None
    assert band.high > high > max(golds)
    assert (high - low) < 1.3 * max(golds)
