"""Figures: what is drawn, what is only marked, and that no panel becomes spaghetti."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib import colormaps
from matplotlib.colors import to_hex, to_rgb

from overopt.report.figures.along_kl import draw_front, draw_gap, draw_gold
from overopt.report.figures.compared import GRAY, compare
from overopt.report.figures.estimators import draw_estimators
from overopt.report.figures.fits import draw_fits, draw_residuals
from overopt.report.figures.sizes import LIGHTEST, draw_sizes, order_colors
from overopt.report.figures.style import assign_marks, plain, save_figure
from overopt.report.fits import fit_group
from overopt.report.group import Group
from overopt.report.groups import group_points, group_results
from overopt.report.noise_labels import name_noise
from overopt.report.stored.reading import read_results

from .synthetic import write_many, write_runs


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
        panels = [axes for axes in drawing.figure.axes if axes.axison]
        labels = " ".join(panel.get_xlabel() for panel in panels)
        assert "nats" in labels
        if labels.count("KL: "):  # said once for all panels, or by each of them
            continue
        for panel in panels:
            assert any(text.get_text().startswith("KL: ") for text in panel.texts)


def test_axes_are_named_once(run_root: Path) -> None:
    groups = group_points(read_results([run_root]).points)
    (drawing,) = draw_gold(groups, "d")
    labels = [panel.get_xlabel() for panel in drawing.figure.axes]
    assert [label for label in labels if label] == [
        "d = √KL (√nats), KL: pool estimate, ties known / Rao-Blackwellized"
    ]
    assert len({panel.get_ylim() for panel in drawing.figure.axes}) == 1


def test_methods_meet_in_one_panel_for_each_proxy_and_noise(run_root: Path) -> None:
    groups = group_points(read_results([run_root]).points)
    (drawing,) = draw_gold(groups, "d")
    titles = [panel.get_title(loc="left") for panel in drawing.figure.axes]
    assert titles == [
        f"{proxy} · {noise}"
        for proxy in ("single", "wco")
        for noise in ("no label noise", "25 % labels flipped")
    ]
    marks = assign_marks(["bon", "ipo"])
    for panel in drawing.figure.axes:
        # dotted where a cell failed
        drawn = {line.get_color() for line in panel.lines if line.get_linestyle() in ("-", ":")}
        assert {mark.color for mark in marks.values()} <= drawn


def test_of_many_methods_the_highest_peaks_are_colored(tmp_path: Path) -> None:
    write_many(tmp_path, 9, seeds=(0, 1))
    groups = group_results(read_results([tmp_path]))
    compared = compare(groups)
    settings = [g for g in groups if (g.proxy, g.noise) == ("single", "0") and g.places.peak]
    peaks = {g.method: g.places.peak.gold.mean for g in settings if g.places.peak}
    assert set(compared.marks) == set(sorted(peaks, key=lambda name: -peaks[name])[:5])
    gray = [group for group in groups if compared.mark(group) == GRAY]
    assert len(gray) == 4 * 4


def test_one_bad_seed_does_not_fix_the_scale(tmp_path: Path) -> None:
    (run,) = write_runs(tmp_path, methods=("dpo",), proxies=("single",), noises=("0",), failed=())
    points = pd.read_csv(run / "points.csv", dtype={"noise": str})
    normal = points["gold_mean"].max() - points["gold_mean"].min()
    last = points.index[(points["seed"] == 2) & (points["kl_target_nats"] == 32.0)]
    points.loc[last, "gold_mean"] = -400.0
    for name in ("contrasts.csv", "budgets.csv"):
        (run / name).unlink()
    points.to_csv(run / "points.csv", index=False)
    groups = group_results(read_results([tmp_path]))
    panel = draw_gold(groups, "d")[0].figure.axes[0]
    low, high = panel.get_ylim()
    assert high - low < 4 * normal
    edges = [line for line in panel.lines if line.get_marker() == "v" and not line.get_clip_on()]
    assert edges and all(float(np.ravel(line.get_ydata())[0]) == 0.0 for line in edges)


def test_sizes_are_an_ordered_scale_of_colors(tmp_path: Path) -> None:
    (run,) = write_runs(
        tmp_path, methods=("dpo",), proxies=("single",), noises=("0",), seeds=(0, 1), failed=()
    )
    points = pd.read_csv(run / "points.csv", dtype={"noise": str})
    sizes = [points.assign(proxy_width=width) for width in (16, 64, 256)]
    pd.concat(sizes).to_csv(run / "points.csv", index=False)
    for name in ("contrasts.csv", "budgets.csv"):
        (run / name).unlink()
    (drawing,) = draw_sizes(group_results(read_results([tmp_path])))
    assert drawing.name == "sizes_width"
    (panel,) = drawing.figure.axes
    assert panel.get_title(loc="left").startswith("dpo · single")
    named = [text.get_text() for text in drawing.figure.legends[0].get_texts()]
    assert named == ["width 16", "width 64", "width 256"]
    light = [np.mean(to_rgb(mark.color)) for mark in order_colors([256.0, 16.0, 64.0]).values()]
    assert light == sorted(light)
    marks = order_colors([16.0, 64.0, 256.0])
    assert marks[64.0].color == to_hex(colormaps["viridis"](LIGHTEST / 2))  # halfway in logarithms
    assert draw_sizes(groups_of_one_size(tmp_path / "one")) == []


def groups_of_one_size(root: Path) -> list[Group]:
    write_runs(root, methods=("dpo",), proxies=("single",), noises=("0",), seeds=(0, 1), failed=())
    return group_results(read_results([root]))


def test_failed_and_few_seeds_are_said_on_the_panel(run_root: Path) -> None:
    groups = group_points(read_results([run_root]).points)
    (drawing,) = draw_gold(groups, "d")
    notes = [text.get_text() for panel in drawing.figure.axes for text in panel.texts]
    assert "ipo: seed 3 failed; exploratory: ipo" in notes
    counts = [note for note in notes if "/" in note]
    assert len(counts) == len(notes) - 1
    # ipo, single: seeds 3 and 4 stop at 24 nats; with noise, seed 3 failed
    assert sorted(counts) == ["3/5", "3/5", "4/5"]


def test_many_proxies_of_one_method_meet_in_one_panel(tmp_path: Path) -> None:
    proxies = tuple(f"ensemble-{number:02d}" for number in range(12))
    write_runs(tmp_path, methods=("dpo",), proxies=proxies, noises=("0",), seeds=(0,), failed=())
    groups = group_points(read_results([tmp_path]).points)
    (drawing,) = draw_gold(groups, "d")
    (panel,) = drawing.figure.axes
    assert panel.get_title(loc="left") == "dpo · no label noise"
    named = [text.get_text() for text in drawing.figure.legends[0].get_texts()]
    # one seed has no peak, so that none of them is the highest
    assert named == ["12 others"]


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


def test_names_that_look_like_formulas_are_drawn_as_they_are(tmp_path: Path) -> None:
    proxies = ("$x^$", "<b>")
    write_runs(tmp_path, methods=("dpo",), proxies=proxies, noises=("0",), seeds=(0, 1))
    groups = group_points(read_results([tmp_path]).points)
    (drawing,) = draw_gold(groups, "d")
    named = [text.get_text() for text in drawing.figure.legends[0].get_texts()]
    assert set(named) == set(proxies)
    for path in save_figure(drawing.figure, tmp_path / "gold"):
        assert path.stat().st_size > 500


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
