"""Every table, file and figure of a report tells the same peak and the same end."""

from __future__ import annotations

import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from overopt.report.figures.along_kl import draw_gold
from overopt.report.groups import group_results
from overopt.report.stored.reading import read_results
from overopt.report.stored.results import Results
from overopt.report.tables.terminal import SHORT, run_table

METHODS = ("bon", "ipo")
FAILED = ("ipo", "single", "0.25")
"""The cell of which a seed failed: it has neither a peak nor an end."""

Cell = tuple[str, str, str]
"""Method, proxy, noise."""


class Told(NamedTuple):
    """What one place says of a cell, as it is written there; None for what it does not say."""

    peak_gold: str
    peak_kl: str
    end_gold: str
    end_kl: str
    peak_bounds: str | None = None
    end_bounds: str | None = None
    fall: str | None = None


@pytest.fixture(scope="module")
def results(run_root: Path) -> Results:
    return read_results([run_root])


@pytest.fixture(scope="module")
def out(report: list[Path]) -> Path:
    return report[0].parent


@pytest.fixture(scope="module")
def stored(run_root: Path) -> dict[Cell, dict[str, float]]:
    """``contrasts.csv`` of the runs: what everything else must agree with."""
    rows = {}
    for method in METHODS:
        (path,) = (run_root / "reviews" / method).glob("*/contrasts.csv")
        for row in pd.read_csv(path, dtype={"noise": str}).to_dict("records"):
            numbers = {str(name): value for name, value in row.items()}
            rows[method, str(row["proxy"]), str(row["noise"])] = numbers
    assert len(rows) == 2 * 2 * 2 - 1 and FAILED not in rows
    return rows


@pytest.fixture(scope="module")
def expected(stored: dict[Cell, dict[str, float]]) -> dict[Cell, Told]:
    """The stored numbers as a reader sees them."""
    return {
        cell: Told(
            peak_gold=two(row["peak_gold"]),
            peak_kl=f"{row['peak_kl_target_nats']:g} → {row['peak_kl_nats']:.3g}",
            end_gold=two(row["end_gold"]),
            end_kl=f"{row['end_kl_target_nats']:g} → {row['end_kl_nats']:.3g}",
            peak_bounds=f"[{two(row['peak_gold_low'])}, {two(row['peak_gold_high'])}]",
            end_bounds=f"[{two(row['end_gold_low'])}, {two(row['end_gold_high'])}]",
            fall=two(row["fall"]),
        )
        for cell, row in stored.items()
    }


def two(number: float) -> str:
    """Two digits with a true minus sign; a dash for what is missing."""
    return "–" if np.isnan(number) else f"{number:.2f}".replace("-", "−").replace("−0.00", "0.00")


class TableReader(HTMLParser):
    """All tables of a page as rows of cell texts, the header first, and the fold each stands in."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tables: list[list[list[str]]] = []
        self.methods: list[str] = []
        self._in_cell = False
        self._method: str | None = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "details" and ("data-fold", None) in attrs:
            self._method = None  # the next text names it
        elif tag == "table":
            self.tables.append([])
            self.methods.append(self._method or "")
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self._in_cell = True
            self.tables[-1][-1].append("")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("tr", "th"):  # cells of the body are ended by the next one, or by their row
            self._in_cell = False

    def handle_data(self, data: str) -> None:
        if self._method is None:
            self._method = data
        if self._in_cell:
            self.tables[-1][-1][-1] += data


def page_rows(out: Path, column: str) -> list[dict[str, str]]:
    """Rows of all tables with a column; a fold's tables need not repeat its method."""
    reader = TableReader()
    reader.feed((out / "report.html").read_text())
    return [
        {"method": method} | dict(zip(table[0], row, strict=True))
        for table, method in zip(reader.tables, reader.methods, strict=True)
        for row in table[1:]
        if column in table[0]
    ]


def cell_of(row: dict[str, str]) -> Cell:
    return row["method"], row["proxy"], row["noise"]


def split(text: str) -> tuple[str, str]:
    """``mean [low, high]`` in its two parts."""
    mean, _, bounds = text.partition(" ")
    return mean, bounds


def test_the_cells_differ_in_what_they_show(stored: dict[Cell, dict[str, float]]) -> None:
    """The comparison means something: peaks inside the range and at its end, unlike choices."""
    falls = [row["fall"] for row in stored.values()]
    assert any(np.isnan(falls)) and any(fall < -0.1 for fall in falls)
    assert any(row["peak_choices_agreeing"] < row["peak_choices"] for row in stored.values())
    ends = {cell[:2]: row["end_kl_target_nats"] for cell, row in stored.items()}
    assert ends == {
        ("bon", "single"): 4.0, ("bon", "wco"): 4.0, ("ipo", "single"): 16.0, ("ipo", "wco"): 8.0
    }  # fmt: skip


def test_the_verdicts_of_the_page(out: Path, expected: dict[Cell, Told]) -> None:
    rows = page_rows(out, "gold at peak (rise)")
    assert {cell_of(row) for row in rows} == set(expected)
    for row in rows:
        peak, end = split(row["gold at peak (rise)"]), split(row["gold at end"])
        told = Told(peak[0], row["KL at peak"], end[0], row["KL at end"], peak[1], end[1],
                    split(row["fall"])[0])  # fmt: skip
        assert told == expected[cell_of(row)]
        assert ("then falls" in row["verdict"]) == (split(row["fall"])[1].find(", −") > 0)


def test_the_scores_of_the_page_and_their_latex(out: Path, expected: dict[Cell, Told]) -> None:
    rows = page_rows(out, "hypervolume")
    latex = (out / "scores.tex").read_text()
    for written, read in (("$-$", "−"), ("{[}", "["), ("{]}", "]"), ("--", "–"), (r"$\to$", "→")):
        latex = latex.replace(written, read)
    assert {cell_of(row) for row in rows} == {*expected, FAILED}
    for row in rows:
        peak, end = split(row["gold at peak"]), split(row["gold at end"])
        told = Told(peak[0], row["KL at peak"], end[0], row["KL at end"], peak[1], end[1])
        nothing = Told("–", "–", "–", "–", "", "")
        want = expected.get(cell_of(row), nothing)._replace(fall=None)
        assert told == want
        assert f"{row['gold at peak']} & {row['KL at peak']} & {row['gold at end']} & " in latex


def check_summary(rows: list[dict[str, str]], expected: dict[Cell, Told]) -> None:
    assert {cell_of(row) for row in rows} == {*expected, FAILED}
    for row in rows:
        if cell_of(row) == FAILED:
            shown = {row[name] for name in ("peak gold", "peak at KL", "end gold", "end at KL")}
            assert shown == {"–"}
            continue
        want = expected[cell_of(row)]
        for gold, bounds, text in (
            (want.peak_gold, want.peak_bounds, row["peak gold"]),
            (want.end_gold, want.end_bounds, row["end gold"]),
        ):
            mean, half = re.split(r"\s*±\s*", text)
            assert mean == gold
            low, high = (float(part.strip("[]").replace("−", "-")) for part in
                         str(bounds).split(", "))  # fmt: skip
            assert float(half) == pytest.approx((high - low) / 2, abs=0.011)
        assert (row["peak at KL"], row["end at KL"]) == (want.peak_kl, want.end_kl)


def test_the_first_table_of_the_page(out: Path, expected: dict[Cell, Told]) -> None:
    rows = page_rows(out, "proxy at end")
    assert {cell_of(row) for row in rows} == {*expected, FAILED}
    for row in rows:
        peak, end = split(row["gold at peak"]), split(row["gold at end"])
        told = Told(peak[0], row["KL at peak"], end[0], row["KL at end"], peak[1], end[1],
                    split(row["fall"])[0])  # fmt: skip
        want = expected.get(cell_of(row), Told("–", "–", "–", "–", "", "", "–"))
        achieved = want._replace(
            peak_kl=want.peak_kl.split(" → ")[-1], end_kl=want.end_kl.split(" → ")[-1]
        )
        assert told == achieved


def test_the_charts_of_the_page(out: Path, stored: dict[Cell, dict[str, float]]) -> None:
    """They mark the peaks of the tables, to the four digits that a screen shows."""
    page = (out / "report.html").read_text()
    blob = page.partition("id='data'>")[2].partition("</script>")[0]
    lines = json.loads(blob)["lines"]
    assert len(lines) == len(stored) + 1
    for line in lines:
        cell = line["method"], line["proxy"], line["noise"]
        for place in ("peak", "end"):
            if cell == FAILED:
                assert line[place] is None
                continue
            kl_nats, gold = line[place]
            assert kl_nats == pytest.approx(stored[cell][f"{place}_kl_nats"], rel=5e-4)
            assert gold == pytest.approx(stored[cell][f"{place}_gold"], rel=5e-4)
        if cell != FAILED:
            assert line["end"][1] in line["gold"][1]


def test_the_table_that_ends_a_run(results: Results, expected: dict[Cell, Told]) -> None:
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(run_table(results))
    lines = [re.split(r"\s{2,}", line.strip()) for line in console.export_text().splitlines()]
    page = {short: name for name, short in SHORT.items()}
    header = [page.get(n, n) for n in next(line for line in lines if line[0] == "method")]
    rows = [
        dict(zip(header, (cell.replace("→", " → ") for cell in line), strict=True))
        for line in lines
        if line[0] in METHODS
    ]
    check_summary(rows, expected)


def test_the_files_of_the_report(out: Path, stored: dict[Cell, dict[str, float]]) -> None:
    scores = pd.read_csv(out / "scores.csv", dtype={"noise": str}).to_dict("records")
    curves = pd.read_csv(out / "curves.csv", dtype={"noise": str})
    assert len(scores) == len(stored) + 1
    for row in scores:
        cell = str(row["method"]), str(row["proxy"]), str(row["noise"])
        if cell == FAILED:
            assert np.isnan([row["gold_at_peak"], row["gold_at_end"], row["kl_at_end_nats"]]).all()
            continue
        want = stored[cell]
        for place in ("peak", "end"):
            for ours, theirs in (
                (f"gold_at_{place}", f"{place}_gold"),
                (f"gold_at_{place}_low", f"{place}_gold_low"),
                (f"gold_at_{place}_high", f"{place}_gold_high"),
                (f"kl_at_{place}_nats", f"{place}_kl_nats"),
                (f"kl_target_at_{place}_nats", f"{place}_kl_target_nats"),
            ):
                assert row[ours] == want[theirs], ours
        np.testing.assert_equal(row["fall"], want["fall"])
        mine = curves[(curves["method"] == cell[0]) & (curves["proxy"] == cell[1])]
        mine = mine[(mine["noise"] == cell[2]) & (mine["quantity"] == "gold")]
        whole = mine[(mine["seeds"] == mine["seeds_run"]) & mine["kl_target_nats"].notna()]
        last = whole.iloc[-1]
        assert last["kl_target_nats"] == want["end_kl_target_nats"]
        assert last["kl_nats"] == pytest.approx(want["end_kl_nats"])
        assert last["achieved_kl_nats"] == pytest.approx(want["end_kl_nats"])
        assert last["mean"] == pytest.approx(want["end_gold"])
        assert last["low"] == pytest.approx(want["end_gold_low"])
        at_peak = whole[whole["kl_target_nats"] == want["peak_kl_target_nats"]].iloc[0]
        if want["peak_choices_agreeing"] == want["peak_choices"]:
            assert at_peak["achieved_kl_nats"] == pytest.approx(want["peak_kl_nats"])


def test_the_markers_of_the_figures(results: Results, stored: dict[Cell, dict[str, float]]) -> None:
    groups = group_results(results)
    for sign, place in (("*", "peak"), ("|", "end")):
        drawn = {
            (round(float(x), 9), round(float(y), 9))
            for drawing in draw_gold(groups, "d")
            for panel in drawing.figure.axes
            for line in panel.lines
            if line.get_marker() == sign
            for x, y in zip(np.ravel(line.get_xdata()), np.ravel(line.get_ydata()), strict=True)
        }
        wanted = {
            (round(row[f"{place}_kl_nats"] ** 0.5, 9), round(row[f"{place}_gold"], 9))
            for row in stored.values()
        }
        assert drawn == wanted


def test_intervals_of_curves_are_those_that_runs_stored(results: Results) -> None:
    for group in group_results(results):
        for quantity in ("gold", "proxy"):
            for mean in group.means[quantity][1:]:
                over = "seeds and prompts" if mean.score.n_seeds > 1 else "prompts"
                assert mean.score.over == over
