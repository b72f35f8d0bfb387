"""One self-contained HTML page: inline SVG, no script, no request to anywhere.

Results may come from anybody, so that every word of them is escaped, and a content security
policy forbids the page to load or run anything.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from itertools import groupby
from typing import Any, NamedTuple

from overopt.report.figures.style import Drawing, inline_svg
from overopt.report.group import Group
from overopt.report.noise_labels import name_noise
from overopt.report.quantities import show_duration
from overopt.report.stored.results import Results
from overopt.report.stored.run import Excerpt, Run
from overopt.report.tables.text import MISSING, TextTable, show_number
from overopt.report.theme import CSS
from overopt.stats.pools.listed import POOL_CAVEAT

LONGEST_TEXT = 4000
"""Characters of one sample that are shown; the rest is in excerpts.json."""


class Chapter(NamedTuple):
    """The figures of one task."""

    task: str
    drawings: list[Drawing]


def make_page(
    results: Results,
    groups: Sequence[Group],
    chapters: Sequence[Chapter],
    tables: Mapping[str, TextTable],
) -> str:
    """The page as HTML text.

    Args:
        results: the runs, for samples and provenance.
        groups: their curves, for the counts in the head.
        chapters: figures by task.
        tables: contrasts, worlds, summary, scores, fits and gaps, by name.
    """
    methods = sorted({group.method for group in groups})
    tasks = ", ".join(results.tasks)
    many = len(methods) > 4
    title = f"{f'{len(methods)} methods' if many else ', '.join(methods)} on {tasks}"
    body = [
        f"<header><p class='kicker'>Reward-model overoptimization</p><h1>{escape(title)}</h1>",
        *_facts(results, groups),
        "</header>",
        *_section(
            "verdicts",
            tables["contrasts"].title,
            _table(tables["contrasts"], "No tests were stored with these runs."),
        ),
        *_worlds(tables["worlds"]),
        *_figures(chapters),
        *_section("summary", "In one line each", _table(tables["summary"])),
        *_section("scores", "Scores", _table(tables["scores"])),
        *_section(
            "fits",
            "Functional forms",
            ["<details><summary>All fits</summary>", *_table(tables["fits"]), "</details>"],
        ),
        *_section(
            "gaps",
            "What is missing",
            _table(tables["gaps"], "Nothing: every seed reached every budget, no cell failed."),
        ),
        *_section("samples", "Samples side by side", _samples(results)),
        *_section("provenance", "Where this comes from", _provenance(results)),
    ]
    head = (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{escape(title)}</title>\n<style>\n{CSS}</style>\n</head>\n"
    )
    return head + "<body>\n<main>\n" + "\n".join(body) + "\n</main>\n</body>\n</html>\n"


def _worlds(table: TextTable) -> list[str]:
    """Means over worlds, where any run has several."""
    return _section("worlds", table.title, _table(table)) if table.rows else []


def _section(anchor: str, title: str, content: Sequence[str]) -> list[str]:
    return [f"<section id='{anchor}'><h2>{escape(title)}</h2>", *content, "</section>"]


def _facts(results: Results, groups: Sequence[Group]) -> Iterator[str]:
    """Counts that say how much to believe."""
    cells = sum(group.n_seeds for group in groups)
    failed = sum(len(group.failures) for group in groups)
    unreached = sum(one.n_seeds for group in groups for one in group.unreached)
    exploratory = sum(group.exploratory for group in groups)
    facts = [
        (len(groups), "curve", ""),
        (cells, "cell", " (curve × seed)"),
        (failed, "failed cell", ""),
        (unreached, "budget", " out of reach"),
        (exploratory, "exploratory curve", " (fewer than 5 seeds)"),
    ]
    yield "<ul class='facts'>"
    for number, noun, rest in facts:
        plural = "" if number == 1 else "s"
        yield f"<li><b>{number}</b> {noun}{plural}{rest}</li>"
    yield "</ul>"
    nonstandard = [run.name for run in results.runs if run.record.get("standard") is False]
    if nonstandard:
        named = ", ".join(nonstandard)
        yield f"<p class='warn'>Not the task's own settings: {escape(named)}</p>"
    if any(results.versions):
        apart = (
            f"{label} is {run.name} of commit {_words(run.record.get('commit'))[:7]}, "
            f"{_words(run.record.get('finished_utc'))}"
            for (label, run), version in zip(results.labeled_runs(), results.versions, strict=True)
            if version
        )
        yield (
            "<p class='warn'>Some runs hold the same cells with other numbers, as other versions "
            f"and machines give them; each has curves of its own: {escape('; '.join(apart))}</p>"
        )
    yield (
        "<p>Gold plays the human; a proxy trained on its labels is what the policy was optimized "
        "against. Gold and proxy are 0 for the initial policy and in units of its standard "
        "deviation. KL is measured from the initial policy, in nats per response; every axis "
        "names its estimator.</p>"
    )
    if results.points["ess"].notna().any():
        yield f"<p>Methods that reweight a pool of samples: {escape(POOL_CAVEAT)}</p>"
    yield (
        "<nav>"
        + " ".join(
            f"<a href='#{anchor}'>{words}</a>"
            for anchor, words in (
                ("verdicts", "Verdicts"),
                ("figures", "Figures"),
                ("scores", "Scores"),
                ("fits", "Fits"),
                ("gaps", "What is missing"),
                ("samples", "Samples"),
                ("provenance", "Provenance"),
            )
        )
        + "</nav>"
    )


def _table(table: TextTable, empty: str = "Nothing to show.") -> list[str]:
    """A text table, which scrolls inside its frame; ``empty`` is said of one without rows."""
    if not table.rows:
        return [f"<p class='note'>{escape(empty)}</p>"]
    last_words = table.header[-1] == "notes"
    lines = ["<div class='scroll'><table><thead><tr>"]
    for number, name in enumerate(table.header):
        lines.append(f"<th{_side(table, number, last_words)}>{escape(name)}</th>")
    lines.append("</tr></thead><tbody>")
    for row in table.rows:
        cells = (
            f"<td{_side(table, number, last_words)}>{escape(cell)}</td>"
            for number, cell in enumerate(row)
        )
        lines.append(f"<tr>{''.join(cells)}</tr>")
    lines.append("</tbody></table></div>")
    if table.note:
        lines.append(f"<p class='note'>{escape(table.note)}</p>")
    return lines


def _side(table: TextTable, number: int, last_words: bool) -> str:
    is_words = number < table.words or (last_words and number == len(table.header) - 1)
    return "" if is_words else " class='n'"


def _figures(chapters: Sequence[Chapter]) -> Iterator[str]:
    yield "<section id='figures'><h2>Figures</h2>"
    for place, chapter in enumerate(chapters):
        if len(chapters) > 1:
            yield f"<h3 class='task'>{escape(chapter.task)}</h3>"
        for title, drawings in groupby(chapter.drawings, key=lambda drawing: drawing.title):
            shown = list(drawings)
            yield f"<figure><h3>{escape(title)}</h3>"
            for drawing in shown:
                prefix = f"f{place}-{drawing.name}"
                svg = inline_svg(drawing.figure, prefix, escape(f"{title}. {drawing.caption}"))
                yield f"<div class='scroll'>{svg}</div>"
            yield f"<figcaption>{escape(shown[0].caption)}</figcaption></figure>"
    yield "</section>"


def _samples(results: Results) -> list[str]:
    """Excerpts of every run, grouped by method, proxy, noise and world."""
    lines: list[str] = []
    several = len({one.world for run in results.runs for one in run.excerpts}) > 1
    for method, run in results.labeled_runs():
        ordered = sorted(run.excerpts, key=lambda one: (*_place(one), one.seed))
        for (proxy, noise, world), members in groupby(ordered, key=_place):
            shown = list(members)
            is_open = "" if lines else " open"
            words = f"{method} · {proxy} · {name_noise(noise)}"
            words += f" · world {world}" if several else ""
            lines.append(f"<details{is_open}><summary>{escape(words)}</summary>")
            lines += [_sample(one) for one in shown]
            lines.append("</details>")
    intro = (
        "<p>The same prompt answered by the initial policy and by the policy furthest along KL. "
        "For each prompt the sample with the largest proxy − gold is shown beside a typical "
        "one.</p>"
    )
    return [intro, *lines] if lines else ["<p class='note'>No samples were stored.</p>"]


def _place(one: Excerpt) -> tuple[str, str, int]:
    """What the samples of one policy have in common, but for the seed."""
    return one.proxy, one.noise, one.world


def _sample(one: Excerpt) -> str:
    sides = "".join(
        f"<div><h4>{name}</h4><blockquote>{escape(_cut(text))}</blockquote>"
        f"<p class='marks'>gold <b>{show_number(gold, 2)}</b> · "
        f"proxy <b>{show_number(proxy, 2)}</b></p></div>"
        for name, text, gold, proxy in (
            ("Initial policy", one.initial, one.gold_initial, one.proxy_initial),
            ("Optimized", one.hacked, one.gold_hacked, one.proxy_hacked),
        )
    )
    return (
        f"<article><p class='prompt'>{escape(_cut(one.prompt))}</p><div class='pair'>{sides}</div>"
        f"<p class='note'>seed {one.seed}, KL of the policy {one.kl_nats:.3g} nats</p></article>"
    )


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]}…"


def _provenance(results: Results) -> list[str]:
    runs = zip(results.runs, results.versions, strict=True)
    return [line for run, version in runs for line in _run(run, version)]


def _run(run: Run, version: str) -> Iterator[str]:
    """What was asked for, by which code, where, and how it ended."""
    record = run.record
    dirty = " with uncommitted changes" if record.get("dirty") is True else ""
    status = record.get("status")
    spec = record.get("spec")
    seeds = spec.get("seeds") if isinstance(spec, dict) else None
    facts = (
        ("command", _command(record.get("arguments"))),
        ("status", _words(status)),
        ("gold", _words(sorted(set(run.points["gold"])))),
        ("worlds", _words(sorted({int(world) for world in run.points["world"]}))),
        ("seeds", _words(seeds)),
        ("standard settings", _words(record.get("standard"))),
        ("looked at gold", _words(record.get("uses_gold"))),
        ("commit", f"{_words(record.get('commit'))}{dirty}"),
        ("overopt", _words(record.get("overopt"))),
        ("packages", _words(record.get("packages"))),
        ("python", _words(record.get("python"))),
        ("machine", _words(record.get("machine"))),
        ("processors, workers", f"{_words(record.get('cpus'))}, {_words(record.get('workers'))}"),
        ("wall time", _wall_time(record.get("wall_s"))),
        ("finished", _words(record.get("finished_utc"))),
        ("spec", _words(record.get("spec_sha256"))),
        ("failures", _words(record.get("failures")) if record.get("failures") else "none"),
    )
    told = f" ({version})" if version else ""
    warning = dirty or ("" if status == "ok" else f": {_words(status)}")
    yield f"<details><summary><code>{escape(run.name)}</code>{escape(told + warning)}</summary><dl>"
    for name, value in facts:
        yield f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>"
    whole = json.dumps(record, indent=1, sort_keys=True, ensure_ascii=False)
    yield f"</dl><details><summary>run.json</summary><pre>{escape(whole)}</pre></details></details>"


def _command(arguments: Any) -> str:
    if isinstance(arguments, list):
        return shlex.join(str(word) for word in arguments)
    return _words(arguments)


def _words(value: Any) -> str:
    """A stored value in words."""
    if value is None or value == "":
        return MISSING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return ", ".join(f"{name} {_words(one)}" for name, one in value.items()) or MISSING
    if isinstance(value, list):
        return ", ".join(_words(one) for one in value) or MISSING
    return str(value)


def _wall_time(wall_s: Any) -> str:
    if isinstance(wall_s, bool) or not isinstance(wall_s, int | float):
        return _words(wall_s)
    return show_duration(wall_s)
