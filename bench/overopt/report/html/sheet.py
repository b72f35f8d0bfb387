"""Tables of the page that readers sort, filter and choose rows of.

A sheet is a list of rows, each a dictionary, and the columns that are shown of it. The page's own
script sorts and filters what stands in the HTML; without a script the table is complete as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal, NamedTuple

from overopt.report.tables.text import MISSING, show_number, show_spread


class Spread(NamedTuple):
    """A number with its interval; bounds are None where there is none."""

    mean: float
    low: float | None = None
    high: float | None = None


Cell = str | float | Spread | None
"""Words, a number, a number with its interval, or what is missing."""


@dataclass(frozen=True)
class Column:
    """What a sheet shows of its rows.

    Attributes:
        name: key in the rows.
        title: header, which is the button that sorts.
        filters: how the column is filtered: by a list of its values to which "all" belongs
            (``any``), by a list of which one is always chosen (``one``), or not at all.
        digits: behind the decimal point of numbers; None for three significant digits.
        help: what the header says when it is pointed at; may be empty.
        words: what the filter calls a value, by value.
    """

    name: str
    title: str
    filters: Literal["", "any", "one"] = ""
    digits: int | None = 2
    help: str = ""
    words: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Sheet:
    """A table that readers sort and filter.

    Attributes:
        name: letters, digits and dashes; distinct within the page.
        title: one line that describes the table to those who cannot see it.
        columns: from left to right; the first one names the row.
        rows: a value for the name of every column; one that lacks it shows the sign for missing.
        chooses: the column whose value a row's button chooses in the charts; empty for no button.
        note: how to read it; may be empty.
        first: value that a ``one`` filter starts with, by column.
        lead: what it shows in sentences, the first one most important.
    """

    name: str
    title: str
    columns: tuple[Column, ...]
    rows: Sequence[Mapping[str, Cell]]
    chooses: str = ""
    note: str = ""
    first: Mapping[str, str] | None = None
    lead: Sequence[str] = ()


def render_sheet(sheet: Sheet) -> list[str]:
    """Filters and table as HTML."""
    return [*render_filters(sheet), *render_table(sheet)]


def render_filters(sheet: Sheet) -> Iterator[str]:
    """A list for every column that is filtered, and a field for words; shown by the script."""
    yield f"<form class='filters js' data-filters='{escape(sheet.name)}'>"
    for number, column in enumerate(sheet.columns):
        if not column.filters:
            continue
        values = list(dict.fromkeys(_text(row.get(column.name), column) for row in sheet.rows))
        if len(values) < 2:
            continue
        first = (sheet.first or {}).get(column.name)
        yield f"<label>{escape(column.title)} <select data-column='{number}'>"
        if column.filters == "any":
            yield "<option value=''>all</option>"
        for value in values:
            chosen = " selected" if value == first else ""
            told = (column.words or {}).get(value, value)
            yield f"<option value='={escape(value)}'{chosen}>{escape(told)}</option>"
        yield "</select></label>"
    yield "<label>find <input type='search' size='12' spellcheck='false'></label>"
    yield "<output></output></form>"


def render_table(sheet: Sheet) -> Iterator[str]:
    """The table, which scrolls inside its frame."""
    label = escape(sheet.title)
    yield (
        f"<div class='scroll tall' tabindex='0' role='region' aria-label='{label}'>"
        f"<table class='sheet' data-sheet='{escape(sheet.name)}'><thead><tr>"
    )
    numeric = [_is_numeric(sheet, column) for column in sheet.columns]
    for column, is_number in zip(sheet.columns, numeric, strict=True):
        side = " class='n'" if is_number else ""
        told = f" title='{escape(column.help)}'" if column.help else ""
        yield (
            f"<th scope='col' aria-sort='none'{side}><button type='button'{told}>"
            f"{escape(column.title)}</button></th>"
        )
    yield "</tr></thead><tbody>"
    for row in sheet.rows:
        yield f"<tr>{''.join(_cells(sheet, row, numeric))}</tr>"
    yield "</tbody></table></div>"
    if sheet.note:
        yield f"<p class='note'>{escape(sheet.note)}</p>"


def _cells(sheet: Sheet, row: Mapping[str, Cell], numeric: Sequence[bool]) -> Iterator[str]:
    for number, (column, is_number) in enumerate(zip(sheet.columns, numeric, strict=True)):
        value = row.get(column.name)
        shown = escape(_text(value, column), quote=False)
        if number == 0 and sheet.chooses:
            key = escape(_plain(row.get(sheet.chooses)))
            shown = f"<button type='button' data-choose='{key}'>{shown}</button>"
        if not is_number:
            yield f"<td>{shown}"
            continue
        middle = _middle(value)
        sorts = "" if middle is None else f" data-v='{middle:.6g}'"
        yield f"<td class='n'{sorts}>{shown}"


def _is_numeric(sheet: Sheet, column: Column) -> bool:
    values = [row.get(column.name) for row in sheet.rows]
    there = [value for value in values if value is not None]
    return bool(there) and not any(isinstance(value, str) for value in there)


def _middle(value: Cell) -> float | None:
    """The number that a cell is sorted by; None for what is missing."""
    if isinstance(value, Spread):
        value = value.mean
    if value is None or isinstance(value, str) or value != value:
        return None
    return float(value)


def _text(value: Cell, column: Column) -> str:
    """A cell in words."""
    if isinstance(value, Spread):
        return show_spread(value.mean, value.low, value.high, column.digits or 0)
    if isinstance(value, str):
        return value or MISSING
    return _number(value, column)


def _number(value: float | None, column: Column) -> str:
    if column.digits is None and value is not None and value == value:
        return f"{value:.3g}".replace("-", "−")
    return show_number(value, column.digits or 0)


def _plain(value: Cell) -> str:
    return value if isinstance(value, str) else ""
