"""The page on monitors is followed to the letter: its file is a monitor, its output is real."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from overopt.catalog import lookup
from overopt.catalog.monitors import monitor
from overopt.commands.measure import measure
from overopt.commands.options.measure import Measure
from overopt.commands.shell.new import new
from overopt.commands.show import show
from overopt.monitors.contract import Look, OpenedMonitor
from overopt.spec.monitor import WATCHED

from .test_verdicts import write_log

PAGE = (lookup.PACKAGE / "docs" / "monitors.md").read_text(encoding="utf-8")
LOOKS = [Look(0, entropy_nats=8.0), Look(9, entropy_nats=5.0), Look(12, entropy_nats=3.0)]


def test_the_file_of_the_page_is_a_monitor(tmp_path: Path) -> None:
    (text,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    path = tmp_path / "mine.py"
    path.write_text(text, encoding="utf-8")
    ring = OpenedMonitor(monitor(str(path))).watch(LOOKS)
    assert ring is not None and ring.look == 2
    assert ring.reason == "62% of the initial entropy is lost"


def test_a_new_monitor_works_and_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert new("monitor", "mine", None) == 0
    assert show("mine.py") == 0
    assert "alarm: somebody should look" in capsys.readouterr().out
    ring = OpenedMonitor(monitor("mine.py")).watch(LOOKS)
    assert ring is not None and ring.look == 2


def test_the_page_shows_what_measure_prints(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (block,) = re.findall(r"```\n(monitors, without gold.*?)```", PAGE, re.DOTALL)
    measure(Measure(logs=[write_log(tmp_path / "log.csv")]), None, 1, False)
    told = capsys.readouterr().out
    for line in block.strip().splitlines():
        assert line.rstrip() in told


def test_every_signal_and_monitor_is_explained() -> None:
    for name in (*WATCHED, *Look._fields):
        assert f"`{name}`" in PAGE, name
    for name in lookup.names("monitors"):
        assert f"| {name} |" in PAGE, name
