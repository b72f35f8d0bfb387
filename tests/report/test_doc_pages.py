"""Pages of the documentation that are made of committed results are what these say."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from overopt.errors import UserError
from overopt.report.doc_pages import marker, remake, renewed
from overopt.report.mitigations import page as mitigations
from overopt.report.online import page as online
from overopt.report.verdicts import standing

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("name", "folder", "page"),
    [
        ("papers", "papers", standing.page),
        ("mitigations", "", mitigations.page),
        ("online", "", online.page),
    ],
)
def test_the_committed_page_is_what_the_committed_results_say(
    name: str, folder: str, page: Callable[[str, Path], str], committed_results: Path
) -> None:
    path = ROOT / f"bench/overopt/docs/{name}.md"
    text = path.read_text(encoding="utf-8")
    assert page(text, committed_results / folder) == text, "give: make results"
    command = f"python -m {page.__module__} {Path('results', folder)}"
    assert marker(command) in text
    assert f"{command} $(DOCS)/{name}.md" in (ROOT / "Makefile").read_text(encoding="utf-8")


def test_a_page_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    path, line = tmp_path / "page.md", marker("python -m this results")
    path.write_text(f"Words.\n{line}\nstale")
    remake([str(tmp_path), str(path)], lambda before, at: renewed(before, line, f"of {at.name}"))
    assert path.read_text() == f"Words.\n{line}\n\nof {tmp_path.name}\n"
    path.write_text("no marker")
    with pytest.raises(UserError, match="lacks its marker"):
        remake([str(tmp_path), str(path)], lambda before, at: renewed(before, line, ""))
    assert path.read_text() == "no marker" and [*tmp_path.iterdir()] == [path]
