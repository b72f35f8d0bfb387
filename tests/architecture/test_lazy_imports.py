"""Commands that read declarations and results start without torch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from report.synthetic import write_runs

PROGRAM = """
import json, sys
from overopt import __main__ as cli
sys.argv = ["bench", *json.loads(sys.argv[1])]
try:
    cli.main()
    code = 0
except SystemExit as stop:
    code = stop.code
heavy = sorted({"torch", "transformers", "trl", "accelerate", "datasets"} & set(sys.modules))
sys.stderr.write("\\n" + json.dumps([code, heavy]))
"""


def heavy_imports(words: list[str], cwd: Path) -> list[str]:
    """What of the heavy libraries a command has imported when it ends."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps(words)],
        cwd=cwd,
        env={**os.environ, "OVEROPT_STORE": str(cwd / "store")},
        capture_output=True,
        text=True,
        check=False,
    )
    code, heavy = json.loads(done.stderr.splitlines()[-1])
    assert not code, done.stdout + done.stderr
    assert isinstance(heavy, list)
    return heavy


@pytest.mark.parametrize(
    "line",
    [
        "--help",
        "run --help",
        "list methods",
        "list tasks",
        "list proxies",
        "list gold",
        "show dpo",
        "show reviews",
        "cite all",
        "new method my-own",
        "store ls",
        "completion bash",
        "list proxies --json",
        "plan --method bon dpo rloo --proxy single uwo --task tabular --kl-grid",
    ],
)
def test_command_leaves_torch_alone(line: str, tmp_path: Path) -> None:
    assert heavy_imports(line.split(), tmp_path) == []


def test_compare_leaves_torch_alone(tmp_path: Path) -> None:
    folders = write_runs(tmp_path / "results", methods=("bon", "dpo"), noises=("0",))
    assert heavy_imports(["compare", *map(str, folders), "--at-kl", "2"], tmp_path) == []


def test_report_leaves_torch_alone(tmp_path: Path) -> None:
    folders = write_runs(tmp_path / "results", methods=("bon", "dpo"), noises=("0",))
    words = ["report", *map(str, folders), "--out", str(tmp_path / "report")]
    assert heavy_imports(words, tmp_path) == []
