"""Packages that nobody should install: each is named on one line, and none stops the others."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from overopt.catalog import lookup

from .test_packages import install

PLAIN = lookup.files("methods")["dpo"].read_text(encoding="utf-8")
NESTED = "an expression is nested too deeply"
FILES = {
    "deep": (f"{PLAIN}\nX = {'-' * 20_000}1\n", NESTED),
    "long": (f"{PLAIN}\nX = {'+'.join(['1'] * 30_000)}\n", NESTED),
    "brackets": (f"{PLAIN}\nX = {'(' * 300}1{')' * 300}\n", "too many nested parentheses"),
    "unhashable": (f"{PLAIN}\nINPUTS = {{[]: 1}}\n", "hold literals only, not '{[]: 1}'"),
    "digits": (f"{PLAIN}\nX = {'9' * 5000}\n", "not valid Python: Exceeds the limit"),
    "endless": (PLAIN.replace("high=10.0", "high=1e999"), "high = inf: should be a finite"),
    "marked": (PLAIN.replace('knob("beta"', 'knob("beta[/red]"'), "Unknown knob 'beta[/red]'"),
}
NAMES = ("my[/red]name", "../up", "n\x1b[2Jul", "x" * 300, "語")


def listed(site: Path) -> str:
    """What ``bench list methods`` prints beside a site of packages."""
    done = subprocess.run(
        [sys.executable, "-m", "overopt", "list", "methods"],
        capture_output=True,
        text=True,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(site), *sys.path]),
            "COLUMNS": "300",
        },
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert " dpo " in f" {done.stdout}"
    assert "\x1b" not in done.stdout
    return done.stdout


def test_every_broken_package_is_named_and_the_others_are_listed(tmp_path: Path) -> None:
    for name, (text, _) in FILES.items():
        install(tmp_path, f"pkg_{name}", f"[overopt.methods]\n{name} = pkg_{name}.m\n", m=text)
    for number, name in enumerate(NAMES):
        entry = f"[overopt.methods]\n{name} = pkg_n{number}.m\n"
        install(tmp_path, f"pkg_n{number}", entry, m=PLAIN)
    install(tmp_path, "pkg_bytes", "")
    info = tmp_path / "pkg_bytes-0.3.dist-info" / "entry_points.txt"
    info.write_bytes(b"[overopt.methods]\nx\xff\xfe = pkg_bytes.m\n")
    install(tmp_path, "pkg_good", "[overopt.methods]\ngood = pkg_good.m\n", m=PLAIN)
    told = listed(tmp_path)
    broken = [line for line in told.splitlines() if line.startswith("broken: ")]
    for name, (_, said) in FILES.items():
        (line,) = (line for line in broken if line.startswith(f"broken: {name} of pkg_{name} "))
        assert said in line
    assert sum("is no name; use letters, digits, - and _ only, 100 at most" in line
               for line in broken) == len(NAMES)  # fmt: skip
    assert sum("its entry_points.txt cannot be read" in line for line in broken) == 1
    assert len(broken) == len(FILES) + len(NAMES) + 1
    assert "good" in told and "pkg_good 0.3" in told


@pytest.mark.parametrize("name", [".mine", "my mine", "m" * 101])
def test_a_file_whose_name_no_folder_should_have_is_told(name: str, tmp_path: Path) -> None:
    path = tmp_path / f"{name}.py"
    path.write_text(PLAIN, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "overopt", "plan", "--method", str(path)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    assert "use letters, digits, - and _ only, 100 at most" in done.stderr
