"""Sheets: what their rows become in HTML, and where the page shows a comparison."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

from overopt.report.html.sheet import Column, Sheet, Spread, render_sheet
from overopt.report.html.text_table import render_text_table, without_repeats
from overopt.report.page import make_page
from overopt.report.stored.reading import read_results
from overopt.report.tables.text import TextTable


class Cells(HTMLParser):
    """Cells as (attributes, text), and options of filters."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.cells: list[tuple[dict[str, str | None], str]] = []
        self.options: list[tuple[dict[str, str | None], str]] = []
        self._into: list[tuple[dict[str, str | None], str]] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("td", "option"):
            self._into = self.cells if tag == "td" else self.options
            self._into.append((dict(attrs), ""))

    def handle_endtag(self, tag: str) -> None:
        if tag in ("tr", "option"):  # cells are ended by the next one, or by their row
            self._into = None

    def handle_data(self, data: str) -> None:
        if self._into:
            attributes, text = self._into[-1]
            self._into[-1] = attributes, text + data


def read(html: list[str]) -> Cells:
    cells = Cells()
    cells.feed("".join(html))
    return cells


def sheet(**changes: object) -> Sheet:
    columns = (
        Column("method", "method"),
        Column("proxy", "proxy", "any"),
        Column("worlds", "worlds", "one"),
        Column("gold", "gold", digits=2),
        Column("kl", "KL", digits=None),
    )
    rows: list[dict[str, str | float | Spread | None]] = [
        {"method": "<b>", "proxy": "uwo", "worlds": "0", "gold": Spread(-0.004, -0.1, 0.1),
         "kl": 3.9651},
        {"method": "dpo", "proxy": "'mean'", "worlds": "0, 1", "gold": Spread(1.5)},
        {"method": "ipo", "proxy": "uwo", "worlds": "0", "gold": None, "kl": float("nan")},
    ]  # fmt: skip
    made = Sheet("test", "A test", columns, rows, chooses="method", first={"worlds": "0, 1"})
    return made if not changes else Sheet(**{**vars(made), **changes})


def test_cells_are_words_numbers_and_intervals() -> None:
    texts = [text for _, text in read(render_sheet(sheet())).cells]
    assert texts == [
        *("<b>", "uwo", "0", "0.00 [−0.10, 0.10]", "3.97"),
        *("dpo", "'mean'", "0, 1", "1.50", "–"),
        *("ipo", "uwo", "0", "–", "–"),
    ]


def test_numbers_are_sorted_by_themselves_and_what_is_missing_by_nothing() -> None:
    cells = read(render_sheet(sheet())).cells
    assert [attributes.get("data-v") for attributes, _ in cells[3::5]] == ["-0.004", "1.5", None]
    assert [attributes.get("data-v") for attributes, _ in cells[4::5]] == ["3.9651", None, None]
    assert [attributes.get("class") for attributes, _ in cells[:5]] == [None, None, None, "n", "n"]


def test_filters_list_every_value_once() -> None:
    options = read(render_sheet(sheet())).options
    assert [attributes["value"] for attributes, _ in options] == [
        *("", "=uwo", "='mean'"),
        *("=0", "=0, 1"),
    ]
    assert ["selected" in attributes for attributes, _ in options] == [False] * 4 + [True]
    one_row = sheet(rows=sheet().rows[:1])
    assert read(render_sheet(one_row)).options == []  # nothing to choose


def test_names_are_buttons_that_choose_and_are_escaped() -> None:
    html = "".join(render_sheet(sheet()))
    assert "<button type='button' data-choose='&lt;b&gt;'>&lt;b&gt;</button>" in html
    assert "data-choose" not in "".join(render_sheet(sheet(chooses="")))
    assert "<option value='=&#x27;mean&#x27;'" in html
    assert html.count("aria-sort='none'") == html.count("<th scope='col'") == 5


def test_a_comparison_is_the_first_table(run_root: Path) -> None:
    results = read_results([run_root])
    empty = {name: TextTable(name, "", (), (), 0) for name in ("gaps", "stability")}
    page = make_page(results, [], [], {}, empty, {}, comparison=sheet())
    assert page.index("data-sheet='test'") < page.index("data-sheet='methods'")
    assert page.index("data-overlay") < page.index("data-sheet='test'")
    assert "<h2>A test</h2>" in page


def test_a_column_that_says_the_same_in_every_row_is_left_out() -> None:
    rows = (("dpo", "single", "1"), ("dpo", "uwo", "2"))
    table = TextTable("t", "T", ("method", "proxy", "gold"), rows, 2, "How to read it.")
    told = without_repeats(table)
    assert (told.header, told.words, told.note) == (("proxy", "gold"), 1, "")
    assert told.rows == (("single", "1"), ("uwo", "2"))
    mixed = TextTable("t", "T", table.header, (rows[0], ("ipo", "uwo", "2")), 2)
    assert without_repeats(mixed).rows == mixed.rows
    assert "class='w1'" in "".join(render_text_table(told))
