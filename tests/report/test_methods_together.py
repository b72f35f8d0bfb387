"""One figure of several methods: what stands in it, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import overopt
from report.synthetic import write_runs


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("drawn") / "results"
    write_runs(root, methods=("bon", "dpo"), proxies=("single", "uwo"))
    return root


def test_a_panel_for_each_proxy_and_noise(results: Path) -> None:
    figure = overopt.plot_curves(results)
    titles = [panel.get_title(loc="left") for panel in figure.axes]
    assert titles == [
        "single · no label noise",
        "single · 25 % labels flipped",
        "uwo · no label noise",
        "uwo · 25 % labels flipped",
    ]
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()][:2] == ["bon", "dpo"]


def test_lines_are_means_over_seeds(results: Path) -> None:
    """The mean at a budget that all seeds were driven to, against pandas."""
    table = overopt.load_results(results)
    chosen = table[(table["proxy"] == "single") & (table["noise"] == "0")]
    rows = chosen[(chosen["method"] == "dpo") & (chosen["kl_target_nats"] == 4.0)]
    (panel,) = overopt.plot_curves(chosen, method="dpo", seeds=False).axes
    drawn = [line for line in panel.lines if line.get_linestyle() == "-" and line.get_gid() is None]
    curve = max(drawn, key=lambda line: len(np.asarray(line.get_xdata())))
    x, y = np.asarray(curve.get_xdata()), np.asarray(curve.get_ydata())
    at = int(np.argmin(np.abs(x - 2.0)))
    assert x[at] == pytest.approx(2.0), "d = sqrt(4 nats)"
    assert y[at] == pytest.approx(rows["gold_mean"].mean(), abs=0.02)


def test_a_table_and_its_folder_show_the_same_curves(results: Path) -> None:
    drawn = []
    for given in (results, overopt.load_results(results)):
        panel = overopt.plot_curves(given, quantity="proxy", kl="log", noise="0").axes[0]
        drawn.append([np.asarray(line.get_ydata(), float) for line in panel.lines])
    for one, other in zip(*drawn, strict=True):
        np.testing.assert_allclose(one, other)


def test_what_cannot_be_drawn_is_said(results: Path) -> None:
    for options, words in (
        ({"method": "dop"}, "the results hold no such method, but bon, dpo"),
        ({"quantity": "win_rate"}, "choose gold or proxy"),
        ({"kl": "linear"}, "choose sqrt or log"),
    ):
        with pytest.raises(overopt.UserError, match=words):
            overopt.plot_curves(results, **options)
    with pytest.raises(overopt.UserError, match="The table lacks task, world"):
        overopt.plot_curves(pd.DataFrame({"kl_nats": [1.0]}))
