"""The folder of a report: a former report is replaced, anything else is left alone."""

from __future__ import annotations

import itertools
import json
import multiprocessing
import os
import random
import sys
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

from overopt.errors import UserError
from overopt.report import folder
from overopt.report.folder import MANIFEST, PAGE, report_folder

TIMES = int(os.environ.get("FUZZ_TIMES", "1"))


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


ONE = {PAGE: "one" * 5000, "gap.png": "one", "sums/gap.png": "one", "only.csv": "one"}
TWO = {PAGE: "two" * 5000, "gap.png": "two", "sums/gap.png": "two", "other.csv": "two"}


def held(out: Path) -> dict[str, str]:
    """What a reader of the report finds; the list and drafts are no part of it."""
    return {
        name: (out / name).read_text()
        for name in files(out)
        if name != MANIFEST and not name.startswith(".")
    }


def _write_for_ever(out: Path, told: Connection) -> None:
    for content in itertools.cycle((TWO, ONE)):
        told.send_bytes(b"one more")
        write(out, content)


@pytest.mark.skipif(sys.platform != "linux", reason="forks, and folders change places")
def test_killed_at_any_moment_one_whole_report_is_there(tmp_path: Path) -> None:
    rng, out = random.Random(0), tmp_path / "report"
    write(out, ONE)
    forking, seen = multiprocessing.get_context("fork"), []
    for number in range(20 * TIMES):
        read, told = forking.Pipe(duplex=False)
        writer = forking.Process(target=_write_for_ever, args=(out, told))
        writer.start()
        for _ in range(2 + number % 2):
            read.recv_bytes()
        writer.join(rng.uniform(0.0, 0.05))
        writer.kill()
        writer.join()
        seen.append(held(out))
        assert seen[-1] in (ONE, TWO)
    assert ONE in seen and TWO in seen
    write(out, ONE)
    assert [path.name for path in tmp_path.iterdir()] == ["report"]


def test_a_reader_never_sees_two_reports_mixed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped before and after each call that changes the disk."""
    out = tmp_path / "report"
    write(out, ONE)
    looked: list[dict[str, str]] = []
    for name in ("rename", "replace", "unlink", "mkdir", "rmdir", "fsync", "open", "chmod"):
        real = getattr(os, name)

        def looking(*words: Any, real: Any = real, **options: Any) -> Any:
            looked.append(held(out))
            try:
                return real(*words, **options)
            finally:
                looked.append(held(out))

        monkeypatch.setattr(os, name, looking)
    write(out, TWO)
    assert len(looked) > 20
    assert all(one in (ONE, TWO) for one in looked) and looked[0] == ONE


def test_where_folders_cannot_change_places_files_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder, "exchange", lambda one, other: False)
    out = tmp_path / "report"
    write(out, ONE)
    write(out, TWO)
    assert held(out) == TWO
    assert files(out) == {*TWO, MANIFEST}
    assert [path.name for path in tmp_path.iterdir()] == ["report"]


def test_the_folder_that_a_shell_stands_in_is_not_taken_from_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "report"
    write(out, ONE)
    monkeypatch.chdir(out)
    write(Path(), TWO)
    assert held(Path()) == held(out) == TWO


def test_a_link_to_a_report_stays_one(tmp_path: Path) -> None:
    write(tmp_path / "real", ONE)
    (tmp_path / "link").symlink_to("real")
    write(tmp_path / "link", TWO)
    assert (tmp_path / "link").is_symlink()
    assert held(tmp_path / "real") == TWO


def test_rights_of_the_folder_stay(tmp_path: Path) -> None:
    out = tmp_path / "report"
    write(out, ONE)
    (out).chmod(0o750)
    write(out, TWO)
    assert out.stat().st_mode & 0o777 == 0o750
