"""The page that a check leaves: every finding in one table, self-contained, nothing loaded.

Words of a submission are a stranger's, so that all of them are escaped, and a content security
policy lets no script run but the page's own, by its hash.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from overopt.leaderboard.submission.verdict import Verdict
from overopt.report.html.assets import policy, read_asset
from overopt.report.html.sheet import Cell, Column, Sheet, render_sheet
from overopt.report.quantities import show_bytes

_SCRIPTS = ("theme.js", "table.js")
_COLUMNS = (
    Column("outcome", "outcome", filters="any"),
    Column("tier", "tier", filters="any"),
    Column("check", "check", filters="any"),
    Column("where", "where"),
    Column("words", "what was found"),
    Column("value", "value", digits=None, help="The number that decided."),
    Column("limit", "limit", digits=None, help="What the value is held against."),
)


def make_quality_page(verdict: Verdict) -> str:
    """The page as HTML text."""
    code = "\n".join(read_asset(name) for name in _SCRIPTS)
    title = f"{verdict.folder.name}: {'passed' if verdict.passed else 'failed'}"
    body = [
        f"<header><p class='kicker'>Check of a submission</p><h1>{escape(title)}</h1>",
        *_facts(verdict),
        "</header><section id='findings'><h2>Findings</h2>",
        *render_sheet(_sheet(verdict)),
        "</section>",
    ]
    head = (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy(code)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{escape(title)}</title>\n<style>\n{read_asset('page.css')}</style>\n</head>\n"
    )
    tail = f"<script type='application/json' id='data'>{{}}</script>\n<script>{code}</script>"
    return f"{head}<body>\n<main>\n{chr(10).join(body)}\n</main>\n{tail}\n</body>\n</html>\n"


def _facts(verdict: Verdict) -> Iterator[str]:
    counts = {
        outcome: sum(one.outcome == outcome for one in verdict.findings)
        for outcome in ("fail", "note", "pass")
    }
    yield (
        f"<p>{counts['fail']} failed, {counts['note']} to note, {counts['pass']} passed. "
        "Failures come first.</p>"
    )
    for cost in verdict.costs:
        peak = show_bytes(cost.peak_bytes, 3)
        yield f"<p class='note'>{escape(cost.tier)}: {cost.wall_s:.1f} s, {escape(peak)}</p>"
    digest = str(verdict.about.get("submission_sha256", ""))
    yield f"<p class='note'>submission.json: sha256 {escape(digest)}</p>"


def _sheet(verdict: Verdict) -> Sheet:
    order = {"fail": 0, "note": 1, "pass": 2}
    rows: list[dict[str, Cell]] = [
        {
            "outcome": one.outcome,
            "tier": one.tier,
            "check": one.check,
            "where": one.where or "all",
            "words": one.words,
            "value": one.value,
            "limit": one.limit,
        }
        for one in sorted(verdict.findings, key=lambda one: order[one.outcome])
    ]
    return Sheet("findings", "What was looked at, and what came of it", _COLUMNS, rows)
