"""What comes from outside stays text: in HTML, Markdown, CSV and LaTeX."""

from __future__ import annotations

import csv
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from overopt.commands.leaderboard.build import rank_all
from overopt.commands.leaderboard.command import reader_of
from overopt.leaderboard.ranking.shown import Leaderboard
from overopt.leaderboard.site.tables import escape_markdown, make_markdown
from overopt.leaderboard.site.writing import write_site
from overopt.report.html.threats import PAGE, render_section, render_threats, title_of_threats

from ..ranking.drawn import write_entry

EVIL = "=cmd()|<img src=x onerror=alert(1)>[a](javascript:b)`$\\input{x}&amp;_*#"


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Leaderboard:
    root = tmp_path_factory.mktemp("results")
    for name, height in (("good", 0.8), ("plain", 0.3)):
        write_entry(root, name, height)
    made = write_entry(root, "evil", 0.5)
    points = made / "points.csv"
    points.write_text(points.read_text().replace(",evil,", f',"{EVIL}",'))
    return rank_all(root, root / "none", reader_of(root), lambda what, done, of: None)


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        told = dict(attrs)
        assert not [name for name in told if name.startswith("on")], "no handlers"
        self.links += [told[name] or "" for name in ("href", "src") if name in told]


def test_poisoned_names_stay_text(found: Leaderboard, tmp_path: Path) -> None:
    page = write_site(found, tmp_path / "site")[0].read_text()
    tags = Tags()
    tags.feed(page)
    assert "img" not in tags.names and tags.names.count("script") == 2
    assert all(link.startswith("#") for link in tags.links), "the page asks for nothing"
    assert "=cmd()|&lt;img src=x onerror=alert(1)&gt;" in page

    with (tmp_path / "site" / "leaderboard.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert {row["entry"] for row in rows} == {"good", "plain", f"'{EVIL}"}
    latex = (tmp_path / "site" / "board-01.tex").read_text()
    assert "\\input{x}" not in latex and "\\textbackslash{}input\\{x\\}" in latex

    markdown = make_markdown(found.boards, found.records)
    assert EVIL not in markdown
    line = next(one for one in markdown.splitlines() if one.startswith("| =cmd()"))
    assert len(re.findall(r"(?<!\\)\|", line)) == 15, "a name adds no column"


def test_markdown_shows_a_name_as_it_is() -> None:
    from markdown_it import MarkdownIt

    shown = MarkdownIt("commonmark", {"html": True}).renderInline(escape_markdown(EVIL))
    assert shown == (
        "=cmd()|&lt;img src=x onerror=alert(1)&gt;[a](javascript:b)`$\\input{x}&amp;amp;_*#"
    )
    assert "\n" not in escape_markdown("a\nb\r| c")


def test_every_page_tells_what_a_rank_licenses(found: Leaderboard, tmp_path: Path) -> None:
    page = write_site(found, tmp_path / "site")[0].read_text()
    assert "<section id='threats'>" in page and "href='#threats'" in page
    assert "threat-model.md" in make_markdown(found.boards, found.records)
    text = render_threats()
    for said in ("synthetic", "Goodhart", "Contamination", "seeds were drawn after", "degenerate"):
        assert said in text
    assert title_of_threats() == "What a rank here does and does not license"
    links = re.findall(r"\]\((?!https:)([^)#]*)", PAGE.read_text())
    assert links and all((PAGE.parent / link).is_file() for link in links)


def test_every_report_tells_it_too() -> None:
    source = (PAGE.parents[1] / "report" / "page.py").read_text(encoding="utf-8")
    assert "*render_section()," in source and '("threats", "What a rank licenses")' in source
    section = "".join(render_section())
    assert section.startswith("<section id='threats'>") and "<a href" not in section


def test_a_folder_of_somebody_else_is_left_alone(found: Leaderboard, tmp_path: Path) -> None:
    from overopt.errors import UserError

    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(UserError, match=r"mine\.txt"):
        write_site(found, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
