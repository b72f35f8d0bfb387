from pathlib import Path

import numpy as np
import pytest
from matplotlib.lines import Line2D

from overopt.own_scores.figure import draw_scores
from overopt.report.figures.style import COLORS, INK, save_figure
from overopt.stats.arrays import Floats
from overopt.stats.fits.forms import Form
from overopt.stats.scored import ProxyReport, analyze
from overopt.stats.scored_table import ScoredTable


def reports(n_samples: int = 80, n_proxies: int = 2) -> tuple[ProxyReport, ...]:
    """A proxy with heavy-tailed error, whose gold rises and falls, then independent good ones."""
    generator = np.random.default_rng(0)
    gold = generator.normal(size=40 * n_samples)
    proxies = {"tailed": gold + generator.standard_t(1.5, size=gold.size)}
    for i in range(1, n_proxies):
        proxies[f"good_{i}"] = gold + generator.normal(size=gold.size)
    return analyze(
        ScoredTable(
            np.repeat(np.arange(40), n_samples), np.tile(np.arange(n_samples), 40), gold, proxies
        )
    )


def x_of(line: Line2D) -> Floats:
    return np.asarray(line.get_xdata(), np.float64)


def y_of(line: Line2D) -> Floats:
    return np.asarray(line.get_ydata(), np.float64)


def test_a_panel_shows_gold_proxy_fits_and_peaks_where_they_are() -> None:
    analyzed = reports()
    (drawing,) = draw_scores(analyzed)
    tailed, good = drawing.figure.axes
    assert drawing.name == "scores"
    assert [panel.get_title(loc="left") for panel in (tailed, good)] == ["tailed", "good_1"]
    for panel, report in zip((tailed, good), analyzed, strict=True):
        assert panel.get_xlabel() == "d = √KL (√nats), KL: pool estimate, ties known"
        dots = [line for line in panel.lines if line.get_marker() == "o"]
        fitted = [point for point in report.points if point.n in report.fitted_n]
        assert {line.get_color() for line in dots} == {INK}
        assert [x_of(line)[0] for line in dots] == pytest.approx(
            [np.sqrt(point.kl_nats) for point in fitted]
        )
        assert [y_of(line)[0] for line in dots] == pytest.approx(
            [point.gold_gain.mean for point in fitted]
        )
        proxy = next(line for line in panel.lines if line.get_color() == COLORS[2])
        assert y_of(proxy) == pytest.approx([p.proxy_gain.mean for p in report.points])
        assert len(panel.collections) == 2  # the bands of gold and of proxy
    bon = analyzed[0].forms[0]
    assert bon.form is Form.BON
    assert bon.fitted is not None
    assert bon.fitted.peak_d is not None
    bars = [line for line in tailed.lines if line.get_marker() == "|"]
    assert x_of(bars[0])[0] == pytest.approx(bon.fitted.peak_d.mean)
    curve = next(line for line in tailed.lines if line.get_color() == COLORS[0])
    assert y_of(curve) == pytest.approx(bon.fitted.fit.predict(x_of(curve)))
    assert not [line for line in good.lines if line.get_marker() == "|"]
    assert {text.get_text() for text in good.texts} >= {"n = 1", "2", "4", "16", "64"}


def test_a_proxy_out_of_all_proportion_leaves_the_panel_and_is_named() -> None:
    generator = np.random.default_rng(1)
    gold = generator.normal(size=40 * 80)
    wild = generator.random(gold.size) < 0.01
    proxy = np.where(wild, 100.0, generator.normal(size=gold.size))
    (drawing,) = draw_scores(
        analyze(
            ScoredTable(
                np.repeat(np.arange(40), 80), np.tile(np.arange(80), 40), gold, {"wild": proxy}
            )
        )
    )
    panel = drawing.figure.axes[0]
    last = max(y_of(line)[-1] for line in panel.lines if line.get_color() == COLORS[2])
    assert last > panel.get_ylim()[1]
    assert any(f"proxy ends at {last:.1f} SD" in text.get_text() for text in panel.texts)


def test_marks_of_n_that_ties_crowd_are_left_out() -> None:
    gold = np.random.default_rng(0).normal(size=5 * 80)
    proxy = (np.arange(gold.size) % 10 < 3).astype(float)
    rows = (np.repeat(np.arange(5), 80), np.tile(np.arange(80), 5))
    (drawing,) = draw_scores(analyze(ScoredTable(*rows, gold, {"binary": proxy})))
    shown = {text.get_text() for text in drawing.figure.axes[0].texts}
    assert shown >= {"n = 1", "2", "4", "16"}
    assert not shown & {"64", "80"}  # as far as 16 or nearly so


def test_many_proxies_go_to_rows_and_to_further_figures() -> None:
    drawings = draw_scores(reports(n_samples=8, n_proxies=14))
    assert [drawing.name for drawing in drawings] == ["scores_1", "scores_2"]
    assert [len(drawing.figure.axes) for drawing in drawings] == [12, 2]


def test_what_cannot_be_fitted_is_drawn_without_fits(tmp_path: Path) -> None:
    one_sample = reports(n_samples=1, n_proxies=1)
    constant = analyze(
        ScoredTable(np.repeat([0, 1], 9), np.tile(np.arange(9), 2), np.ones(18), {"p": np.ones(18)})
    )
    one_prompt = analyze(
        ScoredTable(np.zeros(9), np.arange(9), np.arange(9.0), {"p": np.arange(9.0)})
    )
    for number, some in enumerate((one_sample, constant, one_prompt)):
        (drawing,) = draw_scores(some)
        for path in save_figure(drawing.figure, tmp_path / f"{number}"):
            assert path.stat().st_size > 1000


def test_figures_are_the_same_bytes_each_time(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (drawing,) = draw_scores(reports(n_samples=8))
        save_figure(drawing.figure, tmp_path / folder / "scores")
    for suffix in ("png", "pdf"):
        first, second = (tmp_path / folder / f"scores.{suffix}" for folder in ("one", "two"))
        assert first.read_bytes() == second.read_bytes()
