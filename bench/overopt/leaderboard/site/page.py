"""The site: one self-contained page with every board, which asks for nothing from anywhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from itertools import groupby

from overopt.leaderboard.ranking.shown import Board, Leaderboard
from overopt.leaderboard.site.sheets import board_sheet, records_sheet
from overopt.leaderboard.site.words import RANKED_BY
from overopt.report.html.assets import policy, read_asset
from overopt.report.html.sheet import render_sheet
from overopt.report.html.threats import render_section

_SCRIPTS = ("theme.js", "table.js")


def make_site(found: Leaderboard) -> str:
    """The page as HTML."""
    boards = found.boards
    code = "\n".join(read_asset(name) for name in _SCRIPTS)
    body = [
        "<header><p class='kicker'>Reward-model overoptimization</p><h1>Leaderboard</h1>",
        *_facts(boards, found.runs),
        _navigation(boards),
        "</header>",
        "<p><a href='#threats'>What a rank here does and does not license</a></p>",
        "<details><summary>How ranks are made</summary>",
        f"<p>{escape(RANKED_BY)}</p></details>",
        *_boards(boards),
        "<section id='records'><h2>Records</h2>",
        *render_sheet(records_sheet(found.records)),
        "</section>",
        *render_section(),
    ]
    head = (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy(code)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>Leaderboard of reward-model overoptimization</title>\n"
        f"<style>\n{read_asset('page.css')}</style>\n</head>\n"
    )
    tail = f"<script type='application/json' id='data'>{{}}</script>\n<script>{code}</script>"
    return f"{head}<body>\n<main>\n{chr(10).join(body)}\n</main>\n{tail}\n</body>\n</html>\n"


def anchor(track: str) -> str:
    """A track as a place on the page."""
    return track.replace(" ", "-")


def _facts(boards: Sequence[Board], runs: int) -> Iterator[str]:
    entries = {(board.task, row["entry"]) for board in boards for row in board.rows}
    verified = {
        (board.task, row["entry"])
        for board in boards
        for row in board.rows
        if row["status"] == "verified"
    }
    headline = sum(board.headline for board in boards)
    facts = (
        (len(entries), "entries"),
        (len(verified), "of them verified"),
        (len(boards), "boards"),
        (headline, "of them headline boards (3 worlds, 5 seeds and more)"),
        (runs, "run folders"),
    )
    yield "<ul class='facts'>"
    yield from (f"<li><b>{number}</b> {words}</li>" for number, words in facts)
    yield "</ul>"


def _navigation(boards: Sequence[Board]) -> str:
    tracks = list(dict.fromkeys(board.track for board in boards))
    links = [f"<a href='#{anchor(track)}'>{escape(track.capitalize())}</a>" for track in tracks]
    links += ["<a href='#records'>Records</a>", "<a href='#threats'>What a rank licenses</a>"]
    return f"<nav aria-label='Sections'>{' '.join(links)}</nav>"


def _boards(boards: Sequence[Board]) -> Iterator[str]:
    """Tracks with their boards; the first board of a track is open."""
    number = 0
    for track, mine in groupby(boards, key=lambda board: board.track):
        yield f"<section id='{anchor(track)}'><h2>{escape(track.capitalize())}</h2>"
        for place, board in enumerate(mine):
            number += 1
            opened = " open" if place == 0 else ""
            yield f"<details{opened}><summary>{escape(board.setting)}</summary>"
            yield f"<p>{escape(board.lead)}</p>"
            yield from render_sheet(board_sheet(board, f"board-{number}"))
            yield "</details>"
        yield "</section>"
