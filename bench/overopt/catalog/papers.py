"""Papers that a docstring names, as data: authors, year, title and link.

A paper is written ``Rafailov et al. 2023, "Direct Preference Optimization" (https://...)``, or with
a comma before the link. Nothing is added to what is written there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_NAME = r"[A-Z][\w'’-]+"
_PAPER = re.compile(
    rf"(?P<authors>{_NAME}(?:(?:, | and ){_NAME})*)(?P<others> et al\.)? (?P<year>(?:19|20)\d\d), "
    r'"(?P<title>[^"]+)"(?:,? \(?(?P<link>https?://[^\s),;]+))?'
)
_ARXIV = re.compile(r"https?://arxiv\.org/abs/(?P<number>[^\s?#]+)")


@dataclass(frozen=True)
class Paper:
    """One paper as a docstring names it.

    authors: family names in order. and_others: whether there are more, "et al.".
    link: empty where the docstring has none.
    """

    authors: tuple[str, ...]
    and_others: bool
    year: int
    title: str
    link: str

    @property
    def arxiv(self) -> str:
        """The number on arXiv; empty where the link leads elsewhere."""
        found = _ARXIV.fullmatch(self.link)
        return found["number"] if found else ""


def papers_of(docstring: str) -> tuple[Paper, ...]:
    """The papers that a docstring names between ``Paper:`` and ``Deviations:``, in their order."""
    _, _, told = docstring.partition("Paper:")
    flat = " ".join(told.partition("\nDeviations:")[0].split())
    found = (
        Paper(
            authors=tuple(re.split(r", | and ", one["authors"])),
            and_others=one["others"] is not None,
            year=int(one["year"]),
            title=one["title"],
            link=one["link"] or "",
        )
        for one in _PAPER.finditer(flat)
    )
    return tuple(dict.fromkeys(found))
