"""Whatever goes wrong in a command ends in one line."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from overopt import __main__ as cli
from overopt.commands import list as listing
from overopt.errors import UserError, one_line


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain words: ä 語", "plain words: ä 語"),
        ("[/red] stays", "[/red] stays"),
        ("two\nlines\r\nand more", "two lines and more"),
        ("a bell\x07, \x1b[2J a cleared screen", r"a bell\x07, \x1b[2J a cleared screen"),
        ("turned \u202egnp.exe", r"turned \u202egnp.exe"),
        ("half of a pair \ud800", r"half of a pair \ud800"),
        ("x" * 30, "xxxxx ... xxxxx"),
    ],
)
def test_texts_from_outside_stay_on_one_line(text: str, shown: str) -> None:
    assert one_line(text, 10 if text[0] == "x" else 2000) == shown


def run(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> int:
    """The exit code of a command that raises."""

    def raises(*given: object) -> int:
        raise error

    monkeypatch.setattr(listing, "list_kind", raises)
    monkeypatch.setattr(sys, "argv", ["bench", "list"])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert isinstance(stop.value.code, int)
    return stop.value.code


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (UserError("it is\x1b[2J wrong"), 2, r"error: it is\x1b[2J wrong"),
        (PermissionError(13, "Permission denied", "a/b"), 2, "error: a/b: Permission denied; look"),
        (OSError(36, "File name too long", "c"), 2, "error: c: File name too long; look at the"),
        (ValueError("embedded null byte"), 1, "error: bench itself failed (ValueError: embedded"),
    ],
)
def test_every_error_is_one_line(
    error: BaseException,
    code: int,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert run(error, monkeypatch) == code
    told = capsys.readouterr().err
    assert told.count("\n") == 1 and "Traceback" not in told
    assert told.startswith(said)
    kept = [path.read_text(encoding="utf-8") for path in tmp_path.iterdir()]
    assert len(kept) == (code == 1)
    assert all("in raises" in text and f"{tmp_path}" in told for text in kept)


def test_a_stopped_command_leaves_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(KeyboardInterrupt(), monkeypatch) == 130
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no full device")
@pytest.mark.parametrize("encoding", ["ascii", "utf-8"])
def test_an_output_that_takes_nothing_is_told(encoding: str) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "overopt", "list", "methods"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"},
            timeout=60,
        )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "No space left on device" in done.stderr


def test_letters_that_the_terminal_lacks_are_escaped() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "overopt", "show", "名前"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"},
        timeout=60,
    )
    assert done.returncode == 2
    assert done.stderr.startswith(r"error: Unknown name '\u540d\u524d'")
