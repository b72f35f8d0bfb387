"""The table that ends ``bench run``: one row per method, proxy and noise, and what each shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from overopt.report.across_worlds import across_worlds
from overopt.report.group import Group, Places
from overopt.report.groups import group_results
from overopt.report.stored.results import Results
from overopt.report.tables.flaws import NO_ONSET, show_flaws
from overopt.report.tables.peaks import summarize
from overopt.report.tables.text import MISSING, show_number

if TYPE_CHECKING:
    from rich.table import Table


SHORT = {"seeds": "n", "peak at KL": "peak KL", "end at KL": "end KL"}
"""Headers of the page that a narrow screen has no room for."""

_SIZES = ("width", "pairs")
"""What a proxy's label may end in, ``single, width 16, pairs 512``, and a column shows."""


def run_table(results: Results) -> Table:
    """Peak and end of every group, the same numbers as in the report; see ``overopt.report``."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table as RichTable
    from rich.text import Text

    single = group_results(results)
    groups = across_worlds(single)
    shown = summarize(groups)
    title, *notes = shown.title, f"n: seeds. {shown.note}"
    header, rows = _with_sizes(shown.header[:-1], [row[:-1] for row in shown.rows])
    words = shown.words + len(header) - len(shown.header) + 1
    names = [row[:words] for row in rows]
    notes += [
        f"{' '.join(filter(None, name))}: {told}"
        for name, group in zip(names, groups, strict=True)
        if (told := tell_places(group.places))
    ]
    notes += _gather_notes([row[-1] for row in shown.rows], names, groups)
    notes += tell_flaws(single)  # seeds of two worlds are no pair
    table = RichTable(box=SIMPLE_HEAD, title=title, caption=Text("\n".join(notes)),
                      title_justify="left", caption_justify="left", title_style="bold",
                      padding=(0, 1, 0, 0), show_edge=False, pad_edge=False)  # fmt: skip
    rows = [tuple(_narrow(cell) for cell in row) for row in rows]
    header = tuple(SHORT.get(name, name) for name in header)
    for number, name in enumerate(header):
        is_word = number < words
        side: Literal["left", "right"] = "left" if is_word else "right"
        # on a narrow screen names are broken into lines; a number is never cut
        width = max(len(row[number]) for row in [header, *rows])
        table.add_column(Text(name), justify=side, no_wrap=not is_word, overflow="fold",
                         min_width=None if is_word else width)  # fmt: skip
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    return table


def tell_flaws(groups: Sequence[Group]) -> list[str]:
    """From which KL on each flaw of the labels costs gold, a line for each."""
    found = show_flaws(groups)
    onset, lost = found.header.index("onset at KL"), found.header.index("gold lost at the end")
    return [
        f"flaw {row[3]}:{row[4]}, {row[0]} {row[1]} noise {row[2]}: "
        f"{'no onset shown' if row[onset] == NO_ONSET else f'onset at KL {row[onset]}'}, gold at "
        f"the end {row[lost]} SD beside the run without it"
        for row in found.rows
    ]


def tell_places(places: Places) -> str:
    """Rise and fall with their sizes, SDs of the initial policy; empty without a peak.

    KL in nats is what was achieved. A rise or fall is told where its interval excludes 0.
    """
    peak, end, fall = places.peak, places.end, places.fall
    if peak is None:
        return ""
    rise = f"rises to {show_number(peak.gold.mean, 2)} at {peak.kl_nats:.3g} nats"
    by = "" if fall is None else f"by {show_number(-fall.mean, 2)}"
    until = "" if end is None else f"{end.kl_nats:.3g} nats"
    stays = "where the run ends" if fall is None else f"no fall shown up to {until}"
    told = {
        (True, True): f"{rise}, then falls {by} up to {until}",
        (True, False): f"{rise}, {stays}",
        (False, True): f"no rise shown, falls {by} from {peak.kl_nats:.3g} to {until}",
        (False, False): "neither rise nor fall shown",
    }[places.rises, places.falls]
    return f"{told} (exploratory)" if peak.gold.exploratory else told


def _with_sizes(
    header: tuple[str, ...], rows: Sequence[tuple[str, ...]]
) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Width and number of pairs as columns beside the proxy, where its label names them."""
    at = header.index("proxy")
    labels = [row[at].split(", ") for row in rows]
    varying = [size for size in _SIZES if any(_size(label, size) for label in labels)]
    spread = []
    for row, label in zip(rows, labels, strict=True):
        proxy = ", ".join(part for part in label if part.partition(" ")[0] not in varying)
        sizes = (_size(label, size) or MISSING for size in varying)
        spread.append((*row[:at], proxy, *sizes, *row[at + 1 :]))
    return (*header[: at + 1], *varying, *header[at + 1 :]), spread


def _size(label: Sequence[str], size: str) -> str:
    """The number in one part of a label, such as 16 of ``width 16``."""
    parts = (part.partition(" ") for part in label[1:])
    return next((number for word, _, number in parts if word == size), "")


def _narrow(cell: str) -> str:
    """A cell without the spaces that a page has room for."""
    return cell.replace(" ± ", "±").replace(" → ", "→")


def _gather_notes(
    notes: Sequence[str], names: Sequence[tuple[str, ...]], groups: Sequence[Group]
) -> list[str]:
    """What is missing, each once with the rows that it is about; verdicts are told by the row."""
    rows_of: dict[str, list[tuple[str, ...]]] = {}
    for told, name, group in zip(notes, names, groups, strict=True):
        for note in filter(None, told.split("; ")):
            if note != group.places.verdict:
                rows_of.setdefault(note, []).append(name)
    return [f"{note}: {_name_rows(rows, names)}" for note, rows in rows_of.items()]


def _name_rows(rows: Sequence[tuple[str, ...]], everything: Sequence[tuple[str, ...]]) -> str:
    """The rows by name; all of them, or all of one method, in short."""
    if len(rows) == len(everything):
        return "all"
    names: dict[str, None] = {}
    for row in rows:
        kin = [other for other in everything if other[0] == row[0]]
        whole = len(kin) > 1 and all(other in rows for other in kin)
        names[f"every {row[0]}" if whole else " ".join(row)] = None
    return ", ".join(names)
