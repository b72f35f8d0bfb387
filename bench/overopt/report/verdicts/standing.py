"""What holds at this scale: the verdicts that were stored, as the table of a documentation page.

    python -m overopt.report.verdicts.standing results/papers bench/overopt/docs/papers.md

writes the page's part below its marker anew.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from overopt.errors import UserError
from overopt.report.doc_pages import marker, remake, renewed
from overopt.report.tables.text import show_spread
from overopt.report.verdicts.claims import VERDICTS
from overopt.spec.documents import check_format, parse_json
from overopt.spec.explanations import explain
from overopt.spec.frozen import Spec

MARKER = marker("python -m overopt.report.verdicts.standing results/papers")
FILE = "verdicts.json"
MOST_BYTES = 8_000_000
SCALES = ("full", "standard", "smoke")


class StoredTest(Spec):
    """One test of a claim; see `overopt.stats.verdicts.evidence.Part`."""

    name: str
    effect: float
    interval: tuple[float, float] | None = Field(strict=False)
    over: str
    shows: Literal["reproduced", "contradicted"] | None
    note: str


class StoredClaim(Spec):
    """One claim with its verdict; see `overopt.report.verdicts.claims.Verdict`."""

    paper: str
    claim: str
    verdict: str
    exploratory: bool
    effect: float | None
    low: float | None
    high: float | None
    p_holm: float | None
    seeds: int
    worlds: str
    relation: str
    reported: str
    where: str
    rule: str
    reason: str
    tests: tuple[StoredTest, ...] = Field(strict=False)


class StoredVerdicts(Spec):
    """All claims of one paper, as ``verdicts.json`` holds them."""

    format: Literal[1]
    paper: str
    title: str
    url: str
    scale: Literal["smoke", "standard", "full"]
    counts: dict[str, int]
    claims: tuple[StoredClaim, ...] = Field(strict=False)


def read_verdicts(path: Path) -> StoredVerdicts:
    """One ``verdicts.json``, checked.

    Raises:
        UserError: it cannot be read, is too large or damaged, or names an unknown verdict.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise UserError(f"{path}: it is larger than {MOST_BYTES:,} bytes; write it again.")
        document: Any = parse_json(path.read_bytes())
        if isinstance(document, dict):
            check_format(document)
        found = StoredVerdicts.model_validate(document)
    except OSError as error:
        raise UserError(f"{path}: it cannot be read ({error.strerror}).") from error
    except ValidationError as error:
        raise UserError(explain(error, str(path), StoredVerdicts)) from error
    except ValueError as error:
        raise UserError(f"{path}: {error}; write it again with bench reproduce.") from error
    odd = [one.verdict for one in found.claims if one.verdict not in VERDICTS]
    if odd:
        raise UserError(f"{path}: unknown verdict {odd[0]!r}; allowed are {', '.join(VERDICTS)}.")
    return found


def standing(papers: Sequence[StoredVerdicts]) -> str:
    """The counts of every paper and scale, and all claims, as Markdown."""
    ordered = sorted(papers, key=lambda one: (SCALES.index(one.scale), one.paper))
    lines = ["## How many of each", "", f"| paper | grid | {' | '.join(VERDICTS)} |"]
    lines.append(f"|---|---|{'---|' * len(VERDICTS)}")
    for paper in ordered:
        of = [[one.verdict for one in paper.claims].count(verdict) for verdict in VERDICTS]
        lines.append(f"| {paper.paper} | {paper.scale} | {' | '.join(map(str, of))} |")
    for scale in SCALES:
        mine = [paper for paper in ordered if paper.scale == scale]
        if mine:
            of = [
                [one.verdict for paper in mine for one in paper.claims].count(v) for v in VERDICTS
            ]
            lines.append(f"| all {len(mine)} | {scale} | {' | '.join(map(str, of))} |")
    for paper in ordered:
        lines += ["", f"## {paper.paper}, {paper.scale} grid", "", f"[{paper.title}]({paper.url})"]
        lines += ["", "| claim | verdict | effect | behind it | what is claimed |"]
        lines.append("|---|---|---|---|---|")
        lines += [_row(one) for one in paper.claims]
    return "\n".join([*lines, ""])


def _row(one: StoredClaim) -> str:
    verdict = f"**{one.verdict}**" if one.verdict.endswith(("ted", "reproduced")) else one.verdict
    verdict += " (exploratory)" if one.exploratory else ""
    effect, behind = "", ""
    if one.seeds and one.effect is not None:
        effect = show_spread(one.effect, one.low, one.high, 2).replace("−", "-")
        worlds = len(one.worlds.split())
        behind = f"{one.seeds} seeds, {worlds} world{'' if worlds == 1 else 's'}"
        behind = behind if worlds else f"{one.seeds} draws"
    elif one.effect is not None:
        behind = "exact"
    words = one.relation if not one.reason else f"{one.relation}. *{one.reason}*"
    return f"| {one.claim} | {verdict} | {effect} | {behind} | {_cell(words)} |"


def _cell(text: str) -> str:
    """Words that do not end a cell of the table, and hold no markup of their own."""
    for letter in "\\|<>[]`":
        text = text.replace(letter, f"\\{letter}")
    return " ".join(text.split())


def page(before: str, folder: Path) -> str:
    """The page with its part below the marker made anew from a folder of verdicts.

    Raises:
        UserError: the page has no marker, or there are no verdicts.
    """
    paths = sorted(folder.glob(f"*/{FILE}"))
    if not paths:
        raise UserError(f"{folder} holds no {FILE}; write some with bench reproduce --out {folder}")
    return renewed(before, MARKER, standing([read_verdicts(path) for path in paths]))


if __name__ == "__main__":
    remake(sys.argv[1:], page)
