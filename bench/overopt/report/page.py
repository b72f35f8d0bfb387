"""One self-contained HTML page: all methods first, then each one folded; no request to anywhere.

Results may come from anybody, so that every word of them is escaped. A content security policy
forbids the page to load anything and lets only its own script run, by its hash.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from typing import Any

from overopt.report.comparison.words import join
from overopt.report.fits import GroupFit
from overopt.report.group import Group
from overopt.report.html.assets import UPLOT_VERSION, embed_json, policy, read_asset, script, styles
from overopt.report.html.curves import chart_data
from overopt.report.html.fallback import draw_fallback
from overopt.report.html.folded import FoldKey, render_folds
from overopt.report.html.overview import methods_sheet
from overopt.report.html.provenance import show_words
from overopt.report.html.samples import HOW_TO_READ
from overopt.report.html.sheet import Sheet, render_filters, render_sheet, render_table
from overopt.report.html.text_table import render_text_table
from overopt.report.html.threats import render_section
from overopt.report.stored.results import Results
from overopt.report.stored.schema import estimator_name
from overopt.report.tables.text import TextTable
from overopt.stats.pools.listed import POOL_CAVEAT

TOGGLES = (
    ("proxy", "proxy", False),
    ("oracle", "oracle front", True),
    ("bands", "intervals", True),
    ("whole", "full range", False),
)
"""What the first charts show on demand: name, words, whether it is shown at first."""


def make_page(
    results: Results,
    lines: Sequence[Group],
    fits: Iterable[GroupFit],
    folds: Mapping[FoldKey, Sequence[TextTable]],
    shown: Mapping[str, TextTable],
    families: Mapping[str, str],
    comparison: Sheet | None = None,
) -> str:
    """The page as HTML text.

    Args:
        results: the runs, for samples, provenance and oracle fronts.
        lines: curves of single worlds and means over worlds, in the order of the tables.
        fits: forms fitted to the curves of single worlds.
        folds: the tables of each method, in the order of the page.
        shown: finished tables by name, for what is missing and for how to read them.
        families: of each method.
        comparison: who is best and whether the differences are significant, the first table.
    """
    methods = sorted({line.method for line in lines})
    many = len(methods) > 4
    named = f"{len(methods)} methods" if many else ", ".join(methods)
    title = f"{named} on {', '.join(results.tasks)}"
    sheet = methods_sheet(lines, families)
    data = chart_data(results, lines, families, fits, folds)
    code = script()
    body = [
        f"<header><p class='kicker'>Reward-model overoptimization</p><h1>{escape(title)}</h1>",
        *_facts(results, [line for line in lines if not line.parts]),
        _navigation(comparison),
        "</header>",
        "<section id='overview'><h2 class='hidden'>All methods</h2>",
        *render_filters(sheet),
        *_toggles(),
        "<p class='axes'><b>Gold</b> (SDs of the initial policy) against <b>KL</b> (nats, "
        "√ axis)</p>",
        "<div class='panels' data-overlay></div>",
        f"<div class='fallback'>{_without_script(data, sheet, results.tasks[0])}</div>",
        *_how_to_read(lines),
        "</section>",
        *_comparison(comparison),
        "<section id='table'><h2>Gold at peak and end</h2>",
        *render_table(sheet),
        "</section>",
        "<section id='methods'><h2>Each method</h2>",
        "<p class='note js'>Opening one draws its curves: gold with its interval, single seeds, "
        "the proxy (dashed), and the two forms fitted to gold (thin).</p>",
        *render_folds(results, lines, folds, families),
        "</section>",
        "<section id='gaps'><h2>What is missing</h2>",
        *_folded_if_long(shown["gaps"], "gaps"),
        "</section>",
        *_stability(shown["stability"]),
        *_reading(results, shown),
        *render_section(),
        *_library(),
    ]
    head = (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy(code)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{escape(title)}</title>\n<style>\n{styles()}</style>\n</head>\n"
    )
    blob = embed_json(data)
    tail = f"<script type='application/json' id='data'>{blob}</script>\n<script>{code}</script>"
    return f"{head}<body>\n<main>\n{chr(10).join(body)}\n</main>\n{tail}\n</body>\n</html>\n"


def _without_script(data: Mapping[str, Any], sheet: Sheet, task: str) -> str:
    """The first charts as a drawing, for readers without scripts."""
    return draw_fallback(data, task, (sheet.first or {}).get("worlds", ""))


def _facts(results: Results, groups: Sequence[Group]) -> Iterator[str]:
    """Counts that say how much to believe, and warnings."""
    cells = sum(group.n_seeds for group in groups)
    failed = sum(len(group.failures) for group in groups)
    unreached = sum(one.n_seeds for group in groups for one in group.unreached)
    exploratory = sum(group.exploratory for group in groups)
    facts = (
        (len(groups), "curve", ""),
        (cells, "cell", " (curve × seed)"),
        (failed, "failed cell", ""),
        (unreached, "budget", " out of reach"),
        (exploratory, "exploratory curve", " (fewer than 5 seeds)"),
    )
    yield "<ul class='facts'>"
    for number, noun, rest in facts:
        plural = "" if number == 1 else "s"
        yield f"<li><b>{number}</b> {noun}{plural}{rest}</li>"
    yield "</ul>"
    nonstandard = [run.name for run in results.runs if run.record.get("standard") is False]
    if nonstandard:
        named = join(nonstandard)
        yield f"<p class='warn'>Not the task's own settings: {escape(named)}</p>"
    if any(results.versions):
        apart = "; ".join(
            f"{label} is {run.name} of commit {show_words(run.record.get('commit'))[:7]}, "
            f"{show_words(run.record.get('finished_utc'))}"
            for (label, run), version in zip(results.labeled_runs(), results.versions, strict=True)
            if version
        )
        yield (
            "<details class='warn'><summary>Some runs hold the same cells with other numbers, as "
            "other versions and machines give them; each has curves of its own</summary>"
            f"<p>{escape(apart)}</p></details>"
        )


def _navigation(comparison: Sheet | None) -> str:
    """Where to go from here."""
    places = [
        ("table", "Table"),
        ("methods", "Each method"),
        ("gaps", "What is missing"),
        ("reading", "How to read this"),
        ("threats", "What a rank licenses"),
    ]
    if comparison is not None:
        places.insert(0, ("comparison", "Comparison"))
    links = " ".join(f"<a href='#{anchor}'>{words}</a>" for anchor, words in places)
    return f"<nav aria-label='Sections'>{links}</nav>"


def _toggles() -> Iterator[str]:
    """What the first charts show on demand."""
    yield "<fieldset class='toggles js' data-toggles><legend class='hidden'>Charts</legend>"
    for name, words, first in TOGGLES:
        checked = " checked" if first else ""
        yield f"<label><input type='checkbox' name='{name}'{checked}> {words}</label>"
    yield "<button type='button'>color the highest peaks</button></fieldset>"


def _how_to_read(lines: Sequence[Group]) -> Iterator[str]:
    """What the first charts show, said once for all panels, with the estimators of KL."""
    estimators = sorted({one for line in lines for one in line.estimator.split("+") if one})
    named = estimator_name("+".join(estimators)) or "not measured"
    yield "<p class='note wide js' data-told aria-live='polite'></p>"
    yield (
        "<p class='note wide'>Gold is 0 for the initial policy. KL: nats per response from the "
        f"initial policy ({escape(named)}). Dot: peak. Band: 95 % interval. Triangle: off the "
        "scale. Dotted: fewer seeds than were run. Oracle: the best gold of any policy at that "
        "KL.</p>"
    )


def _comparison(comparison: Sheet | None) -> Iterator[str]:
    """Who is best, where the runs can tell."""
    if comparison is not None:
        yield f"<section id='comparison'><h2>{escape(comparison.title)}</h2>"
        for said in comparison.lead[:1]:
            yield f"<p>{escape(said)}</p>"
        if comparison.lead[1:]:
            yield f"<details><summary>{len(comparison.lead) - 1} more settings</summary><ul>"
            yield from (f"<li>{escape(said)}</li>" for said in comparison.lead[1:])
            yield "</ul></details>"
        yield from render_sheet(comparison)
        yield "</section>"


def _folded_if_long(table: TextTable, rows: str, longest: int = 12) -> list[str]:
    """A table, behind a line that counts its rows where there are many."""
    lines = render_text_table(table, "Nothing: every seed reached every budget, no cell failed.")
    if len(table.rows) <= longest:
        return lines
    return [f"<details><summary>{len(table.rows)} {rows}</summary>", *lines, "</details>"]


def _stability(table: TextTable) -> Iterator[str]:
    """Which methods went wrong, and how often; nothing where no method trains."""
    if table.rows:
        yield f"<section id='stability'><h2>{escape(table.title)}</h2>"
        yield from _folded_if_long(table, "curves")
        yield "</section>"


def _reading(results: Results, shown: Mapping[str, TextTable]) -> Iterator[str]:
    """What the words and numbers of the folds mean, said once for all of them."""
    yield "<section id='reading'><h2>How to read this</h2>"
    yield (
        "<p>Gold plays the human; a proxy trained on its labels is what the policy was optimized "
        "against. Gold and proxy are 0 for the initial policy and in units of its standard "
        "deviation. KL is measured from the initial policy, in nats per response. A chart reaches "
        "at most twice as far beyond the inner four fifths of its points as these are wide; what "
        "lies further is marked at the edge.</p>"
    )
    if results.points["ess"].notna().any():
        yield f"<p>Methods that reweight a pool of samples: {escape(POOL_CAVEAT)}</p>"
    for key, table in shown.items():
        if table.note and table.rows and key not in ("gaps", "stability"):  # they tell theirs
            yield f"<p><b>{escape(table.title)}</b> {escape(table.note)}</p>"
    yield (
        "<p><b>KL estimators compared.</b> Each estimator divided by the one that names the KL "
        "axis: medians along KL over all proxies, noise levels and seeds. Curves drawn over "
        "different estimators are not comparable.</p>"
    )
    yield f"<p>{escape(HOW_TO_READ)}</p></section>"


def _library() -> Iterator[str]:
    """The charting library and its license."""
    text = escape(read_asset("uPlot.LICENSE"))
    yield (
        f"<footer><details><summary class='note'>Charts: uPlot {UPLOT_VERSION}, MIT License"
        f"</summary><pre>{text}</pre></details></footer>"
    )
