"""A key covers all code that its stage runs: what stages import while they run, and by name."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from overopt.execution.code.modules import PACKAGE

TESTS = Path(__file__).parents[1]
AS_IT_MAY_BE = {
    "gold": {"worlds", "spec", "tables", "stats"},
    "error": {"worlds", "spec", "tables", "stats"},
    "pool_excerpt": {"worlds", "spec", "tables", "stats", "execution", "errors"},
    "sets": {"worlds", "spec", "tables", "stats", "execution", "errors"},
    "marks": {"worlds", "spec", "tables", "stats", "execution", "errors"},
    "angles": {"worlds", "spec", "tables", "stats", "execution", "errors"},
    "component_points": {"worlds", "spec", "tables", "stats", "execution", "errors"},
    "joined": {"worlds", "spec", "tables", "stats", "execution", "errors"},
    "scores": {"worlds", "spec", "tables", "stats", "execution", "errors"},
}
"""Stages that need not use all that their node names, and rooms of what may stay unused: a rule is
recorded without building its world, or reading the table that one is made of, files of a proxy or
of labels are copied, weights and scores compared or averaged, and exams choose among rows of a
pool."""


def test_a_key_covers_what_its_stage_imports_and_nothing_else(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "run.every_stage", str(tmp_path)],
        cwd=TESTS,
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    stages: set[str] = set()
    for stage, title, imported, covered in json.loads(done.stdout):
        stages.add(stage)
        # the root of the package lists public names for people; no stage calls it
        uncovered = set(imported) - set(covered) - {PACKAGE}
        assert not uncovered, f"{title}: imported, but no part of its key"
        assert PACKAGE not in covered, f"{title}: a new public name would make it again"
        rooms = {name.split(".")[1] for name in set(covered) - set(imported)}
        assert rooms <= AS_IT_MAY_BE.get(stage, set()), f"{title}: in its key, but not imported"
    room = Path(TESTS).parent / "bench" / PACKAGE / "stages"
    rooms_of_makers = (
        *("", "own/", "beside/", "rounds/", "planted/", "streamed/"),
        *("watching/", "stacked/", "exams/", "merging/"),
    )
    makers = [path for within in rooms_of_makers for path in room.glob(f"{within}*.py")]
    assert stages == {path.stem for path in makers if "\ndef run(" in path.read_text()} - {
        "optimize_trl"
    }
