"""A comparison on a terminal: the verdicts first, then a table of each contest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from overopt.errors import printable
from overopt.report.comparison.comparison import Comparison
from overopt.report.comparison.contest import Ranking
from overopt.report.comparison.frames import notes_of, show_ranking

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


_WIDE = 96
"""Characters of a terminal that shows all columns."""


def print_comparison(comparison: Comparison, console: Console) -> None:
    """Print the answer, then what it rests on; nothing that a file says is taken for markup."""
    for said in comparison.verdicts:
        console.print(printable(said))
    notes: dict[str, None] = {}
    for one in comparison.rankings:
        console.print()
        console.print(_table(one, console.width))
        for note in notes_of(one):
            console.print(printable(note))
        if one.ranked:
            notes[show_ranking(one).note] = None
    console.print()
    for note in (*notes, *comparison.notes):
        console.print(printable(note))


def _table(ranking: Ranking, width: int) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table as RichTable
    from rich.text import Text

    shown = show_ranking(ranking)
    left_out = {"paired by"} if width < _WIDE else set()  # the verdict says it, too
    taken = [number for number, name in enumerate(shown.header) if name not in left_out]
    table = RichTable(box=SIMPLE_HEAD, title=Text(printable(shown.title), style="bold"),
                      title_justify="left", padding=(0, 1, 0, 0), show_edge=False,
                      pad_edge=False)  # fmt: skip
    for number in taken:
        name = shown.header[number]
        words = name in ("method", "ties", "paired by")
        # letters of ties are broken first on a narrow screen, a name beyond 16, a number never
        least = max(len(row[number]) for row in (shown.header, *shown.rows))
        least = min(least, {"ties": 4, "method": 16, "paired by": 9}.get(name, least))
        table.add_column(
            Text(printable(name)),
            justify="left" if words else "right",
            no_wrap=not words,
            overflow="fold",
            min_width=least,
        )
    for row in shown.rows:
        table.add_row(*(Text(printable(row[number])) for number in taken))
    return table
