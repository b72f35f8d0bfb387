"""Finished tables of words as HTML."""

from __future__ import annotations

from dataclasses import replace
from html import escape

from overopt.report.tables.text import TextTable


def render_text_table(table: TextTable, empty: str = "Nothing to show.") -> list[str]:
    """A table that scrolls inside its frame, with its note; ``empty`` is said of one without rows.

    Columns of numbers are aligned by the table's class, which counts its leading words: a class on
    every cell would be a tenth of a large page, and so would the ends of cells, which HTML lets
    one leave out.
    """
    if not table.rows:
        return [f"<p class='note'>{escape(empty)}</p>"]
    last = " last" if table.header[-1] == "notes" else ""
    lines = [f"<div class='scroll'><table class='w{table.words}{last}'><thead><tr>"]
    lines += [f"<th>{escape(name)}</th>" for name in table.header]
    lines.append("</tr></thead><tbody>")
    for row in table.rows:
        lines.append(f"<tr>{''.join(f'<td>{escape(cell, quote=False)}' for cell in row)}</tr>")
    lines.append("</tbody></table></div>")
    if table.note:
        lines.append(f"<p class='note'>{escape(table.note)}</p>")
    return lines


def without_repeats(table: TextTable) -> TextTable:
    """The table without its note and without a first column that says the same in every row."""
    if len({row[0] for row in table.rows}) != 1:
        return replace(table, note="")
    return replace(
        table,
        note="",
        header=table.header[1:],
        rows=tuple(row[1:] for row in table.rows),
        words=table.words - 1,
    )
