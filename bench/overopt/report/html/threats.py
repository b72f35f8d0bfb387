"""What a rank does and does not license, as HTML: the same page of the documentation everywhere."""

from __future__ import annotations

import re
from html import escape
from pathlib import Path

from markdown_it import MarkdownIt

PAGE = Path(__file__).parents[2] / "docs" / "threat-model.md"


def render_threats() -> str:
    """The page's text, its headings two levels lower, its links to other pages as words."""
    text = PAGE.read_text(encoding="utf-8")
    text = re.sub(r"\[([^\]]+)\]\((?!https:)[^)]*\)", r"\1", text)
    body = text.partition("\n")[2]  # the title is the section's
    lowered = re.sub(r"^## ", "### ", body, flags=re.MULTILINE)
    return str(MarkdownIt("commonmark", {"html": False}).render(lowered))


def title_of_threats() -> str:
    """The page's title."""
    return PAGE.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")


def render_section() -> list[str]:
    """A folded section of a page, ``#threats``."""
    return [
        f"<section id='threats'><h2>{escape(title_of_threats())}</h2>",
        f"<details><summary>The threat model</summary>{render_threats()}</details>",
        "</section>",
    ]
