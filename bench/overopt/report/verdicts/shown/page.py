"""One self-contained HTML page of a paper's verdicts and figures; it loads nothing, runs no script.

Words of results and papers are escaped, and the content security policy lets only images through
that stand in the page itself.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from overopt.report.html.assets import read_asset
from overopt.report.verdicts.claims import NOT_RUN, VERDICTS, Verdict
from overopt.report.verdicts.redrawn.kinds import AnyFigure
from overopt.report.verdicts.shown.tables import (
    count,
    show_effect,
    show_estimate,
    show_seeds,
    show_verdict,
)

POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
    "form-action 'none'"
)
STYLE = """
.verdict{font-weight:600;white-space:nowrap}
.v-reproduced .verdict,.v-partly .verdict{color:#00714f}
.v-contradicted .verdict{color:#b8400a}
.v-not .verdict,.v-out .verdict{color:var(--soft,#6b6b6c)}
td{vertical-align:top} td.words{white-space:normal;min-width:20rem;max-width:34rem}
td.words.narrow{min-width:11rem;max-width:18rem} td.words ul{padding-left:1.1rem;margin:.2rem 0}
figure{margin:1.5rem 0} figure img{max-width:100%;height:auto;background:#fff}
"""


@dataclass(frozen=True)
class Judged:
    """One paper with its verdicts, as the page shows them.

    Attributes:
        name: of the paper here.
        title: of the paper.
        url: where it is found.
        scale: of the grid.
        setting: task, seeds and worlds in words.
        verdicts: of all claims.
        figures: the paper's figures.
        captions: of the figures that were drawn, by name.
        images: PNG bytes of the same.
        notes: of the paper's file.
        sources: names of the run folders behind it.
    """

    name: str
    title: str
    url: str
    scale: str
    setting: str
    verdicts: Sequence[Verdict]
    figures: Sequence[AnyFigure]
    captions: Mapping[str, str]
    images: Mapping[str, bytes]
    notes: Sequence[str]
    sources: Sequence[str]


def make_page(papers: Sequence[Judged]) -> str:
    """The page of one paper or of several."""
    title = papers[0].title if len(papers) == 1 else f"{len(papers)} papers, judged here"
    body = [f"<header><p class='kicker'>Claims of papers, judged here</p><h1>{escape(title)}</h1>"]
    body += [*_counts([one for paper in papers for one in paper.verdicts]), "</header>"]
    for paper in papers:
        body += _paper(paper, len(papers) > 1)
    body += _reading()
    head = (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{escape(title)}</title>\n<style>\n{read_asset('page.css')}{STYLE}</style>\n"
        "</head>\n"
    )
    return f"{head}<body>\n<main>\n{chr(10).join(body)}\n</main>\n</body>\n</html>\n"


def _counts(verdicts: Sequence[Verdict]) -> Iterator[str]:
    yield "<ul class='facts'>"
    for verdict, number in count(verdicts).items():
        yield f"<li><b>{number}</b> {escape(verdict)}</li>"
    yield "</ul>"


def _paper(paper: Judged, titled: bool) -> Iterator[str]:
    yield f"<section id='{escape(paper.name)}'>"
    if titled:
        yield f"<h2>{escape(paper.title)}</h2>"
    # a link is followed by a reader's own click; the policy concerns what the page itself loads
    yield (
        f"<p><a href='{escape(paper.url)}' rel='noreferrer'>{escape(paper.url)}</a> · "
        f"{escape(paper.name)}, {escape(paper.scale)} grid: {escape(paper.setting)}</p>"
    )
    if titled:
        yield from _counts(paper.verdicts)
    yield "<div class='scroll' tabindex='0' role='region' aria-label='Verdicts'><table><thead><tr>"
    for head in ("claim", "verdict", "what is claimed", "effect, 95 % interval", "behind it",
                 "reported"):  # fmt: skip
        yield f"<th scope='col'>{head}</th>"
    yield "</tr></thead><tbody>"
    order = {verdict: place for place, verdict in enumerate(VERDICTS)}
    for one in sorted(paper.verdicts, key=lambda v: order[v.verdict] == order[NOT_RUN]):
        yield _row(one)
    yield "</tbody></table></div>"
    for figure in paper.figures:
        if figure.name in paper.images:
            yield from _figure(figure, paper)
    for note in paper.notes:
        yield f"<p class='note'>{escape(note)}</p>"
    if paper.sources:
        named = ", ".join(paper.sources)
        yield f"<details><summary class='note'>Runs</summary><p>{escape(named)}</p></details>"
    yield "</section>"


def _row(one: Verdict) -> str:
    kind = one.verdict.split()[0]
    why = f"<br><small>{escape(one.reason)}</small>" if one.reason else ""
    why += f"<details><summary>rule</summary><small>{escape(one.claim.words)}</small></details>"
    why += _tests(one)
    reported = f"{escape(one.claim.reported)}<br><small>{escape(one.claim.where)}</small>"
    return (
        f"<tr class='v-{escape(kind)}'><td>{escape(one.claim.id)}"
        f"<td class='verdict'>{escape(show_verdict(one))}"
        f"<td class='words'>{escape(one.claim.relation)}{why}"
        f"<td>{escape(show_effect(one))}<td>{escape(show_seeds(one))}"
        f"<td class='words narrow'>{reported}</tr>"
    )


def _tests(one: Verdict) -> str:
    """All tests of a claim that consists of several."""
    parts = one.evidence.parts if one.evidence is not None else ()
    if len(parts) < 2:
        return ""
    items = "".join(
        f"<li>{escape(part.side or 'not resolved')}: {escape(show_estimate(part.estimate))} "
        f"<small>{escape(part.name)}</small>"
        for part in parts
    )
    return f"<details><summary>{len(parts)} tests</summary><ul>{items}</ul></details>"


def _figure(figure: AnyFigure, paper: Judged) -> Iterator[str]:
    caption = escape(paper.captions[figure.name])
    image = b64encode(paper.images[figure.name]).decode()
    claims = [one.claim.id for one in paper.verdicts if one.claim.figure == figure.name]
    shown = f" Shows {escape(', '.join(claims))}." if claims else ""
    yield (
        f"<figure id='{escape(paper.name)}-{escape(figure.name)}'>"
        f"<img alt='{caption}' src='data:image/png;base64,{image}'>"
        f"<figcaption class='note'>{caption}{shown}</figcaption></figure>"
    )


def _reading() -> Iterator[str]:
    yield "<section id='reading'><h2>How to read this</h2>"
    yield (
        "<p>Rules and margins are fixed in the paper's file before anything runs. A claim is "
        "reproduced or contradicted where the interval of its statistic says so after Holm's "
        "correction over the claims of its paper; else it is not resolved at this scale, which "
        "says nothing against it. An arm that does not get to the KL of a claim leaves it out of "
        "reach. The effect is that of the test that the verdict hangs on, positive where the claim "
        "says so; its interval is of this one comparison, without the correction. Fewer than 5 "
        "seeds are exploratory. A synthetic world may carry over signs and shapes, not "
        "numbers.</p></section>"
    )
