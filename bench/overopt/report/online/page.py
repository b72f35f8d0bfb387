"""A page of the documentation: what online methods cost, and how many of their seeds diverge.

python -m overopt.report.online.page results bench/overopt/docs/online.md
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import pandas as pd

from overopt.report.doc_pages import marker, remake, renewed
from overopt.report.group import Group
from overopt.report.groups import group_results
from overopt.report.online.costs import relative_costs
from overopt.report.pareto.table import pareto_frame
from overopt.report.stored.marking import mark_gold
from overopt.report.stored.reading import read_results
from overopt.report.stored.results import Results
from overopt.report.tables.stability import show_stability
from overopt.report.tables.text import show_number

BASELINE = "rloo"
FAMILIES = ("rollout", "iterative")
"""Families that learn from samples of the policy on its way; merges do where their members do."""

MATRIX, STABILITY = "matrix", "stability"
"""Folders of results: the standard matrix, and the runs of twenty seeds."""

MARKER = marker("python -m overopt.report.online.page results")

_PLACE = ["task", "world", "proxy", "noise"]
_Place = tuple[str, int, str, str]


def online(results: Path) -> str:
    """Costs relative to RLOO and seeds that diverge, as Markdown.

    Args:
        results: the folder that holds ``matrix`` and ``stability``.

    Raises:
        UserError: runs are missing or damaged.
    """
    matrix = mark_gold(read_results([results / MATRIX]))
    places = _places(pareto_frame(matrix), _online(matrix))
    lines = [f"## Cost relative to {BASELINE}", ""]
    for place, rows in places.items():
        lines += [f"### {_titled(place)}", "", *_costs(rows), ""]
    for title, read in (
        ("Seeds of the matrix that diverge", matrix),
        ("Twenty seeds", mark_gold(read_results([results / STABILITY]))),
    ):
        lines += [f"## {title}", ""]
        for place, groups in _groups(read).items():
            if read is not matrix or place in places:
                lines += [f"### {_titled(place)}", "", *_stability(groups, read.trained), ""]
    return "\n".join(lines)


def _online(results: Results) -> set[str]:
    """Labels of the methods that learn from fresh samples, whether or not by the proxy's scores."""
    return {
        label
        for label, family in results.families.items()
        if family in FAMILIES or (family == "merge" and results.trained.get(label))
    }


def _places(table: pd.DataFrame, online: Collection[str]) -> dict[_Place, pd.DataFrame]:
    """Where the baseline meets another online method, with the rows of all of them."""
    found = {}
    for place, rows in table[table["method"].isin(online)].groupby(_PLACE, sort=True):
        if BASELINE in set(rows["method"]) and rows["method"].nunique() > 1:
            task, world, proxy, noise = place
            found[str(task), int(str(world)), str(proxy), str(noise)] = rows
    return found


def _groups(results: Results) -> dict[_Place, list[Group]]:
    """Groups of online methods by where they meet."""
    online = _online(results)
    found: dict[_Place, list[Group]] = {}
    for one in group_results(results):
        if one.method in online and len(one.worlds) == 1:
            found.setdefault((one.task, one.world, one.proxy, one.noise), []).append(one)
    return found


def _titled(place: _Place) -> str:
    task, world, proxy, noise = place
    return f"{task}, world {world}, {proxy}, noise {noise}"


def _costs(rows: pd.DataFrame) -> list[str]:
    found = relative_costs(rows, BASELINE)
    cells = [
        (one.method, f"{one.kl_nats:g}", *(show_number(ratio, 2) for ratio in one.ratios))
        for one in found
        if one.kl_nats is not None
    ]
    header = ("method", "up to, nats", "samples drawn", "tokens processed", "gradient steps")
    lines = _markdown(header, cells) if cells else []
    missed = [one.method for one in found if one.kl_nats is None]
    if missed:
        lines += [
            "",
            f"No budget that every seed of it and of {BASELINE} met: {', '.join(missed)}.",
        ]
    return lines


def _stability(groups: Sequence[Group], trained: Mapping[str, bool]) -> list[str]:
    """Groups of one place, those of which most seeds diverged first."""
    table = show_stability(groups, trained)
    # of one place, so that methods alone tell rows apart
    shown = [number for number in range(len(table.header)) if number not in range(1, table.words)]
    header = [table.header[number] for number in shown]
    method = {one.titled: one.method for one in groups}
    rows = [[method[row[0]], *(row[number] for number in shown[1:])] for row in table.rows]
    return [f"{table.title}.", "", *_markdown(header, rows)]


def _markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A Markdown table whose first column is a name."""
    lines = [f"| {' | '.join(header)} |", f"|---|{'---:|' * (len(header) - 1)}"]
    return lines + [f"| {' | '.join(row)} |" for row in rows]


def page(before: str, results: Path) -> str:
    """The page with its part below the marker made anew.

    Raises:
        UserError: the page has no marker, or runs are missing or damaged.
    """
    return renewed(before, MARKER, online(results))


if __name__ == "__main__":
    remake(sys.argv[1:], page)
