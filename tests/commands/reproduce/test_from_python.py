"""``overopt.judge``: verdicts as a table, figures, and what a notebook shows."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import overopt
from commands.reproduce.test_reproduce import PAPER, PLAIN, Played
from overopt.commands.arguments import resolve
from overopt.commands.reproduce import from_python
from overopt.commands.reproduce.reproduce import request_of
from overopt.errors import UserError
from overopt.papers.contract import Grid

ROOM = Path(__file__).parents[3]


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> from_python.Judgment:
    monkeypatch.setattr(from_python, "find", lambda name: PAPER)
    Played()(resolve(request_of(PLAIN, Grid(seeds=5))), tmp_path)
    found: from_python.Judgment = overopt.judge("toy2024", tmp_path)
    return found


def test_verdicts_are_a_table_and_figures_are_drawn(judged: from_python.Judgment) -> None:
    table = judged.verdicts
    assert list(table.index) == [claim.id for claim in PAPER.claims]
    verdict, low = table["verdict"], table["low"]
    assert verdict["toy-01"] == "reproduced" and low["toy-01"] > 0.0
    assert verdict["toy-02"] == "not run here" and pd.isna(low["toy-02"])
    assert judged.counts["reproduced"] == 2 and judged.counts["not run here"] == 3
    assert judged.figures == {"curves": "figure 1"}
    (axis,) = judged.draw("curves").axes
    assert axis.get_legend_handles_labels()[1] == ["plain"]
    assert "5 seeds" in judged.caption("curves")
    with pytest.raises(UserError, match=r"figure 'widths' of toy2024.*they hold those of: curves"):
        judged.draw("widths")


def test_a_notebook_shows_verdicts_and_then_what_was_not_run(judged: from_python.Judgment) -> None:
    shown = judged._repr_html_()
    assert shown.count("<table") == 2
    first, last = shown.split("not run here</th>")
    assert "gold &lt;humps&gt;" in first and "toy-05" not in first and "needs streams" in last
    assert "<humps>" not in shown


def test_nothing_stored_leaves_what_is_exact() -> None:
    judged = overopt.judge("prefrank2024")
    assert judged.counts["reproduced"] == 1 and judged.counts["not run here"] == 4
    assert not judged.figures
    assert repr(judged) == "prefrank2024, standard grid: 1 reproduced, 4 not run here"


def test_what_cannot_be_judged_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"scale = 'huge': choose smoke, standard, full\."):
        overopt.judge("prefrank2024", scale="huge")
    with pytest.raises(UserError, match=r"results .*nowhere: it is not a folder"):
        overopt.judge("prefrank2024", tmp_path / "nowhere")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["rafailov2024", "coste2023", "rpo2024", "correlated-proxies2024"])
def test_committed_verdicts_are_found_again(name: str) -> None:
    stored = [ROOM / "results" / part for part in ("grids", "matrix", "reviews")]
    judged = overopt.judge(name, *stored)
    told = pd.read_csv(ROOM / f"results/papers/{name}-standard/verdicts.csv", index_col="claim")
    assert list(judged.verdicts["verdict"]) == list(told["verdict"])
