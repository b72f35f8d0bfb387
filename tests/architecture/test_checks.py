"""Formatter, linter, type checker and import layers find nothing."""

from __future__ import annotations

import subprocess
import sys

import pytest

from .checkout import ROOT

CHECKS = {
    "format": ("ruff", "format", "--check", "--no-cache", "."),
    "lint": ("ruff", "check", "--no-cache", "."),
    "types": ("mypy", "--strict", "bench/overopt", "tests"),
    "layers": ("importlinter.cli", "--no-cache"),
}


@pytest.mark.parametrize("check", CHECKS)
def test_check_finds_nothing(check: str) -> None:
    module, *arguments = CHECKS[check]
    command = [sys.executable, "-m", module, *arguments]
    if check == "layers":
        program = "from importlinter.cli import lint_imports_command; lint_imports_command()"
        command = [sys.executable, "-c", program, *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
