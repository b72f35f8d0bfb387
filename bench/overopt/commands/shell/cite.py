"""``bench cite``: BibTeX of the papers that methods, proxies and monitors come from."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from overopt.catalog import lookup
from overopt.catalog.declarations import unknown
from overopt.catalog.papers import Paper, papers_of
from overopt.commands.options.names import expand
from overopt.commands.printing import print_text
from overopt.errors import UserError
from overopt.execution.code.modules import is_file

KINDS = ("methods", "proxies", "monitors")
"""What comes from papers."""
_SPECIAL = re.compile(r"[\\{}&%$#_~^]")
_ACCENTS = {"\u0300": "`", "\u0301": "'", "\u0302": "^", "\u0303": "~", "\u0308": '"'}
_SMALL = frozenset(("a", "an", "the", "on", "is"))


def cite(names: Sequence[str]) -> int:
    """Print each paper once, with the names that rest on it; returns the exit code."""
    rows: dict[Paper, list[str]] = {}
    for name in _asked(names):
        kind = "methods" if is_file(name) else _kind_of(name)
        found = lookup.declaration(kind, name)
        papers = papers_of(found.docstring)
        if not papers:
            raise UserError(
                f"{name}: its docstring names no paper; write one as "
                'Paper: Author et al. 2023, "Title" (https://arxiv.org/abs/NUMBER).'
            )
        for paper in papers:
            rows.setdefault(paper, []).append(found.name)
    print_text("\n".join(to_bibtex(paper, used) for paper, used in rows.items()).rstrip("\n"))
    return 0


def _has_paper(kind: str, name: str) -> bool:
    return bool(papers_of(lookup.declaration(kind, name).docstring))


def _kind_of(name: str) -> str:
    return next(kind for kind in KINDS if name in lookup.names(kind))


def _asked(names: Sequence[str]) -> list[str]:
    """Names of what comes from papers, each once; ``all`` are those of every kind."""
    found: dict[str, None] = {}
    for kind in KINDS:
        every = expand(kind, [one for one in names if one.lower() == "all"])
        # a control has no paper, which is told to those who ask for it by name
        found.update(dict.fromkeys(name for name in every if _has_paper(kind, name)))
    for name in expand("methods", [one for one in names if one.lower() != "all"]):
        known = {one for kind in KINDS for one in lookup.names(kind)}
        if not is_file(name) and name not in known:
            raise UserError(unknown("method, proxy or monitor", name, known))
        found[name] = None
    return list(found)


def to_bibtex(paper: Paper, used_by: Sequence[str]) -> str:
    """One entry; fields that the docstring does not tell are left out, never guessed."""
    authors = " and ".join(map(_tex, paper.authors)) + (" and others" if paper.and_others else "")
    lines = [
        f"% {', '.join(used_by)}" + ("" if paper.link else "; its docstring gives no link"),
        f"@misc{{{_key(paper)},",
        f"  author = {{{authors}}},",
        f"  title = {{{{{_tex(paper.title)}}}}},",
        f"  year = {{{paper.year}}},",
    ]
    if paper.arxiv:
        lines += [f"  eprint = {{{paper.arxiv}}},", "  archivePrefix = {arXiv},"]
    if paper.link:
        lines.append(f"  url = {{{paper.link}}},")
    return "\n".join([*lines, "}", ""])


def _key(paper: Paper) -> str:
    """``rafailov2023direct``: first author, year, first word of the title that says something."""
    words = [word for word in re.findall(r"\w+", _plain(paper.title)) if word not in _SMALL]
    return f"{_plain(paper.authors[0])}{paper.year}{words[0] if words else ''}"


def _plain(text: str) -> str:
    """Lower-case letters without accents, digits and spaces."""
    flat = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9 ]+", "" if " " not in flat else " ", flat)


def _tex(text: str) -> str:
    """Text for TeX: special characters escaped, accents as commands."""
    escaped = _SPECIAL.sub(lambda found: rf"\{found[0]}", text)
    written: list[str] = []
    for letter in unicodedata.normalize("NFD", escaped):
        if letter in _ACCENTS and written:
            written[-1] = f"{{\\{_ACCENTS[letter]}{written[-1]}}}"
        else:
            written.append(letter)
    return "".join(written)
