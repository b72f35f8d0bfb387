"""The table that ends ``bench run``: one row per method, proxy and noise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from overopt.report.across_worlds import across_worlds
from overopt.report.groups import group_results
from overopt.report.stored.results import Results
from overopt.report.tables.peaks import summarize
from overopt.report.tables.text import TextTable

if TYPE_CHECKING:
    from rich.table import Table


SHORT = {"seeds": "n", "peak at KL": "peak KL", "end at KL": "end KL"}
"""Headers of the page that a narrow screen has no room for."""


def run_table(results: Results) -> Table:
    """Peak and end of every group, the same numbers as in the report; see ``overopt.report``."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table as RichTable
    from rich.text import Text

    shown = summarize(across_worlds(group_results(results)))
    *header, _ = shown.header
    caption = "\n".join([f"n: seeds. {shown.note}", *_gather_notes(shown)])
    table = RichTable(box=SIMPLE_HEAD, title=shown.title, caption=Text(caption),
                      title_justify="left", caption_justify="left", title_style="bold",
                      padding=(0, 1, 0, 0), show_edge=False, pad_edge=False)  # fmt: skip
    rows = [[_narrow(cell) for cell in row[:-1]] for row in shown.rows]
    header = [SHORT.get(name, name) for name in header]
    for number, name in enumerate(header):
        words = number < shown.words
        side: Literal["left", "right"] = "left" if words else "right"
        # on a narrow screen names are broken into lines; a number is never cut
        width = max(len(row[number]) for row in [header, *rows])
        table.add_column(Text(name), justify=side, no_wrap=not words, overflow="fold",
                         min_width=None if words else width)  # fmt: skip
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    return table


def _narrow(cell: str) -> str:
    """A cell without the spaces that a page has room for."""
    return cell.replace(" ± ", "±").replace(" → ", "→")


def _gather_notes(shown: TextTable) -> list[str]:
    """The last column's notes, each once with the rows that it is about, or "all"."""
    rows_of: dict[str, list[tuple[str, ...]]] = {}
    for row in shown.rows:
        for note in filter(None, row[-1].split("; ")):
            rows_of.setdefault(note, []).append(row[: shown.words])
    everything = [row[: shown.words] for row in shown.rows]
    return [f"{note}: {_name_rows(rows, everything)}" for note, rows in rows_of.items()]


def _name_rows(rows: list[tuple[str, ...]], everything: list[tuple[str, ...]]) -> str:
    """The rows by name; all of them, or all of one method, in short."""
    if len(rows) == len(everything):
        return "all"
    names: dict[str, None] = {}
    for row in rows:
        kin = [other for other in everything if other[0] == row[0]]
        whole = len(kin) > 1 and all(other in rows for other in kin)
        names[f"every {row[0]}" if whole else " ".join(row)] = None
    return ", ".join(names)
