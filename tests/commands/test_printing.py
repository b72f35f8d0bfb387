"""Texts from anywhere are printed as they are, in lines and in tables."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from rich.table import Table
from rich.text import Text

from architecture.checkout import PACKAGE, python_files
from overopt.commands.printing import open_console, print_colored, print_text
from overopt.errors import harmless

Screen = pytest.CaptureFixture[str]
HOSTILE = "[red]no color[/red] [/b] [link=x]y[/link] \\[z]"


def test_brackets_are_brackets(capsys: Screen) -> None:
    console = open_console()
    table = Table(title=HOSTILE, caption=HOSTILE)
    table.add_column(HOSTILE)
    table.add_row(HOSTILE)
    console.width = 120
    console.print(table)
    console.print(f"results: {HOSTILE}")
    print_colored(console, "red", HOSTILE, f": {HOSTILE}")
    assert capsys.readouterr().out.count(HOSTILE) == 7


def test_a_colored_line_is_one_line(capsys: Screen) -> None:
    print_colored(open_console(), "red", "failed", ": \x1b[2J\nnot\x07 here")
    assert capsys.readouterr().out == "failed: \\x1b[2J not\\x07 here\n"


def test_every_terminal_is_opened_in_one_place() -> None:
    rooms = ("commands", "own_scores", "own_runs", "report", "run")
    files = [path for room in rooms for path in python_files(f"bench/overopt/{room}")]
    found = {
        path.relative_to(PACKAGE).as_posix()
        for path in files
        if re.search(r"Console\(|\(Console\)|rich\.markup", path.read_text(encoding="utf-8"))
    }
    assert found == {"commands/printing.py"}


def test_a_file_of_a_stranger_moves_no_cursor(tmp_path: Path) -> None:
    from overopt.catalog import lookup

    text = lookup.files("methods")["dpo"].read_text(encoding="utf-8")
    path = tmp_path / "mine.py"
    path.write_text(text.replace("Paper:", "Paper \x1b[2J\x07:", 1), encoding="utf-8")
    found = lookup.declaration("methods", str(path))
    assert r"Paper \x1b[2J\x07:" in found.docstring
    assert all(line.isprintable() for line in found.docstring.splitlines())


def test_nothing_from_outside_steers_the_terminal(capsys: Screen) -> None:
    """Colors of its own are printed; escapes in texts, titles, cells and links are not."""
    hostile = "a\x1b[2J\x1b]0;title\x07\x9b31m\u202eb\ud800"
    console = open_console()
    table = Table(title=hostile, caption=hostile)
    table.add_column(hostile)
    table.add_row(hostile)
    console.print(table)
    console.print(hostile, style="red")
    console.print(Text(hostile, style="bold"))
    print_text(f"{hostile}\n{hostile}")
    printed = capsys.readouterr().out
    assert all(letter.isprintable() or letter == "\n" for letter in printed)
    assert printed.count("a\ufffd[2J") >= 6


def test_spaces_tabs_and_letters_of_any_script_stay() -> None:
    text = "\u00a0\u2009\tπ ع e\u0301 👩\u200d🔬\n"
    assert harmless(text) == text
