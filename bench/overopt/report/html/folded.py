"""Each method folded: its curves, tables, KL estimators, samples and runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from itertools import chain

from overopt.report.group import Group
from overopt.report.html.provenance import render_run
from overopt.report.html.samples import render_samples
from overopt.report.html.text_table import render_text_table, without_repeats
from overopt.report.stored.results import Results
from overopt.report.tables.text import TextTable

FoldKey = tuple[str, str]
"""Task and method."""


def render_folds(
    results: Results,
    lines: Sequence[Group],
    tables: Mapping[FoldKey, Sequence[TextTable]],
    families: Mapping[str, str],
) -> Iterator[str]:
    """A fold for every method, closed; the script draws its charts when it is opened.

    Args:
        results: runs, for samples and provenance.
        lines: all curves, in the order of the page's data.
        tables: of each method, in the order of the page.
        families: of each method.
    """
    sources = _sources(results)
    several = len({line.task for line in lines}) > 1
    for number, key in enumerate(tables):
        task, method = key
        mine = [line for line in lines if (line.task, line.method) == key]
        name = f"{task}: {method}" if several else method
        yield (
            f"<details id='m{number}' data-fold><summary>{escape(name)}"
            f"<span class='note'>{escape(_in_short(mine, families))}</span></summary>"
            f"<div class='curves' data-curves='{number}'></div>"
        )
        for table in tables[key]:
            yield f"<h4>{escape(table.title)}</h4>"
            yield from render_text_table(without_repeats(table))
        yield (
            "<h4 class='js'>Other KL estimators as multiples of the axis's, along KL (nats)</h4>"
            f"<div data-ratios='{number}'></div>"
        )
        runs = [(results.runs[i], results.versions[i]) for i in sources.get(key, ())]
        yield from render_samples(chain.from_iterable(run.excerpts for run, _ in runs))
        for run, version in runs:
            yield from render_run(run, version)
        yield "</details>"


def _sources(results: Results) -> dict[FoldKey, list[int]]:
    """Places in ``results.runs`` of the runs that a method's points are of."""
    found: dict[FoldKey, list[int]] = {}
    columns = ["task_label", "method_label", "source"]
    for task, method, source in results.points[columns].drop_duplicates().itertuples(index=False):
        found.setdefault((str(task), str(method)), []).append(int(source))
    return {key: sorted(sources) for key, sources in found.items()}


def _in_short(lines: Sequence[Group], families: Mapping[str, str]) -> str:
    """Family, number of curves, and how gold went in how many of them."""
    count = len(lines)
    parts = [families.get(lines[0].method, ""), f"{count} curve{'' if count == 1 else 's'}"]
    verdicts = [line.places.verdict.removesuffix(" (exploratory)") for line in lines]
    for verdict in dict.fromkeys(filter(None, verdicts)):
        parts.append(f"{verdict}: {verdicts.count(verdict)}")
    failed = sum(len(line.failures) for line in lines if not line.parts)
    parts += [f"failed cells: {failed}"] if failed else []
    return " · ".join(filter(None, parts))
