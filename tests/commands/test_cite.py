"""Papers of methods and proxies as BibTeX: what the docstrings say, no more and no less."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from overopt.catalog import lookup
from overopt.catalog.papers import Paper, papers_of
from overopt.commands.shell.cite import cite, to_bibtex
from overopt.errors import UserError

Screen = pytest.CaptureFixture[str]
ROWS = [(kind, name) for kind in ("methods", "proxies") for name in lookup.shipped(kind)]


ELSEWHERE = (
    "https://ericmitchell.ai/cdpo.pdf",
    "https://doi.org/10.1145/1273496.1273590",
    "https://people.eecs.berkeley.edu/~russell/papers/icml99-shaping.pdf",
)
"""Papers and notes of which nothing was put on arXiv."""


@pytest.mark.parametrize(("kind", "name"), ROWS)
def test_every_shipped_row_names_its_papers_in_full(kind: str, name: str) -> None:
    found = lookup.declaration(kind, name)
    papers = papers_of(found.docstring)
    assert papers, "no paper is named as catalog.papers reads it"
    text = Path(lookup.files(kind)[name]).read_text(encoding="utf-8")
    for paper in papers:
        assert paper.authors and len(paper.title) > 8
        assert 1950 < paper.year < 2030
        if paper.link in ELSEWHERE:
            continue
        assert re.fullmatch(r"\d{4}\.\d{5}", paper.arxiv), f"{paper.title}: no number on arXiv"
        # numbers of arXiv begin with year and month; a paper may be revised, not antedated
        assert paper.year == 2000 + int(paper.arxiv[:2])
    assert text.count(papers[0].link) >= 2 or "Reference" not in text, "the references disagree"


def test_one_title_has_one_link_and_one_key(capsys: Screen) -> None:
    assert cite(["ALL"]) == 0
    entries = re.findall(r"@misc\{(\w+),\n.*?title = \{\{(.*?)\}\},.*?url = \{(.*?)\}",
                         capsys.readouterr().out, re.DOTALL)  # fmt: skip
    assert len(entries) > 30
    for column in zip(*entries, strict=True):
        assert len(set(column)) == len(column), "two entries share a key, a title or a link"


def test_an_entry_says_what_the_docstring_says(capsys: Screen) -> None:
    assert cite(["DPO", "implicit"]) == 0
    told = capsys.readouterr().out
    assert told.startswith(
        "% dpo, implicit\n"
        "@misc{rafailov2023direct,\n"
        "  author = {Rafailov and others},\n"
        "  title = {{Direct Preference Optimization: Your Language Model is Secretly a Reward "
        "Model}},\n"
        "  year = {2023},\n"
        "  eprint = {2305.18290},\n"
        "  archivePrefix = {arXiv},\n"
        "  url = {https://arxiv.org/abs/2305.18290},\n"
        "}\n"
    )
    assert told.count("@misc") == 2, "implicit rests on a second paper"


def test_tex_is_escaped_and_nothing_is_made_up() -> None:
    paper = Paper(("Ramé", "Müller"), False, 2024, "A & B: 5 % of #x_2", "")
    assert to_bibtex(paper, ["mine"]) == (
        "% mine; its docstring gives no link\n"
        "@misc{rame2024b,\n"
        "  author = {Ram{\\'e} and M{\\\"u}ller},\n"
        "  title = {{A \\& B: 5 \\% of \\#x\\_2}},\n"
        "  year = {2024},\n"
        "}\n"
    )


def test_a_persons_own_file(tmp_path: Path, capsys: Screen) -> None:
    text = lookup.files("methods")["dpo"].read_text(encoding="utf-8")
    own = tmp_path / "mine.py"
    own.write_text(text.replace(" (https://arxiv.org/abs/2305.18290)", ""), encoding="utf-8")
    assert cite([str(own)]) == 0
    told = capsys.readouterr().out
    assert "gives no link" in told and "url" not in told
    own.write_text(re.sub(r"Paper: .*? L = ", "Paper: none.\n    L = ", text, flags=re.DOTALL))
    with pytest.raises(UserError, match="its docstring names no paper"):
        cite([str(own)])
    with pytest.raises(UserError, match="Unknown method, proxy or monitor 'dop'"):
        cite(["dop"])


def test_links_with_a_comma_are_read_too() -> None:
    told = 'X.\n\nPaper: Zhao and Wu 2023, "A Title", https://arxiv.org/abs/2305.10425, eq. 1.\n'
    assert papers_of(told + 'Deviations: none. Not et al. 2020, "This one".') == (
        Paper(("Zhao", "Wu"), False, 2023, "A Title", "https://arxiv.org/abs/2305.10425"),
    )
