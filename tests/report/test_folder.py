"""The folder of a report: a former report is replaced, anything else is left alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from overopt.errors import UserError
from overopt.report.folder import MANIFEST, PAGE, report_folder


def write(out: Path, names: dict[str, str]) -> None:
    with report_folder(out) as staged:
        for name, text in names.items():
            (staged / name).parent.mkdir(exist_ok=True)
            (staged / name).write_text(text)


def files(out: Path) -> set[str]:
    return {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}


def test_files_of_the_former_report_are_taken_away(tmp_path: Path) -> None:
    out = tmp_path / "a" / "report"
    write(out, {PAGE: "one", "gap.png": "one", "sums/gap.png": "one"})
    (out / "notes.txt").write_text("mine")
    write(out, {PAGE: "two", "front.png": "two"})
    assert files(out) == {PAGE, "front.png", "notes.txt", MANIFEST}
    assert (out / PAGE).read_text() == "two"
    assert not (out / "sums").exists()


@pytest.mark.parametrize("listing", [None, "{}", '{"kind": "else", "files": ["notes.txt"]}', "["])
def test_a_folder_that_is_no_report_is_refused(tmp_path: Path, listing: str | None) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    if listing is not None:
        (tmp_path / MANIFEST).write_text(listing)
    before = files(tmp_path)
    with pytest.raises(UserError, match="holds files that are not of a report"):
        write(tmp_path, {PAGE: "one"})
    assert files(tmp_path) == before


def test_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UserError, match="is a file"):
        write(tmp_path / "file", {PAGE: "one"})


def test_a_forged_list_cannot_reach_beyond_the_report(tmp_path: Path) -> None:
    out = tmp_path / "report"
    write(out, {PAGE: "one"})
    (tmp_path / "mine.png").write_text("mine")
    (out / "thesis.docx").write_text("mine")
    forged = ["../mine.png", str(tmp_path / "mine.png"), "thesis.docx", 3]
    (out / MANIFEST).write_text(json.dumps({"kind": "overopt report", "files": forged}))
    write(out, {PAGE: "two"})
    assert (tmp_path / "mine.png").exists() and (out / "thesis.docx").exists()


def test_an_error_leaves_the_former_report_as_it_was(tmp_path: Path) -> None:
    out = tmp_path / "report"
    write(out, {PAGE: "one", "gap.png": "one"})
    with pytest.raises(RuntimeError), report_folder(out) as staged:
        (staged / PAGE).write_text("half")
        raise RuntimeError
    assert files(out) == {PAGE, "gap.png", MANIFEST}
    assert (out / PAGE).read_text() == "one"


def test_what_a_crash_left_is_replaced(tmp_path: Path) -> None:
    """Killed between renames: the list names the files of both reports."""
    out = tmp_path / "report"
    write(out, {PAGE: "one", "gap.png": "one"})
    listed = {"kind": "overopt report", "files": [PAGE, "gap.png", "front.png"]}
    (out / MANIFEST).write_text(json.dumps(listed))
    (out / "front.png").write_text("two")
    (out / ".writing-report-x").mkdir()
    (out / ".writing-report-x" / "report.html").write_text("half")
    write(out, {PAGE: "three"})
    assert files(out) == {PAGE, MANIFEST}
    assert (out / PAGE).read_text() == "three"


def test_reports_from_before_there_was_a_list_are_replaced(tmp_path: Path) -> None:
    for name in (PAGE, "gold_d.png", "fits_1_2.pdf", "scores.tex", "mine.png"):
        (tmp_path / name).write_text("old")
    write(tmp_path, {PAGE: "new"})
    assert files(tmp_path) == {PAGE, MANIFEST, "mine.png"}
