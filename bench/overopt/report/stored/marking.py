"""Names of methods and proxies that were told of gold, marked where a report shows them."""

from __future__ import annotations

from dataclasses import replace

from overopt.report.stored.methods import PARTS, USES_GOLD, told_of_gold
from overopt.report.stored.results import Results


def mark_gold(results: Results) -> Results:
    """The same results, with ``uses gold`` after the names of methods and proxies that do.

    ``method_label`` and ``proxy_label`` have it, as in ``bstar, uses gold``; the columns of names
    do not. A method is marked for what it is told itself, not for what its proxy was.
    """
    points = results.points.copy()
    for part in PARTS:
        told = set[str]().union(*(told_of_gold(run.record, part) for run in results.runs))
        points[f"{part}_label"] = [
            f"{name}, {USES_GOLD}{label.removeprefix(name)}" if name in told else label
            for label, name in zip(points[f"{part}_label"], points[part], strict=True)
        ]
    return replace(results, points=points)
