"""The real command in a process of its own, and what it leaves on disk."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from overopt.execution.artifact import read_manifest

TASK = Path(__file__).with_name("tiny.toml")


@dataclass(frozen=True)
class Place:
    """A working folder with the tiny task, a store and results."""

    root: Path

    @classmethod
    def fresh(cls, root: Path) -> Place:
        """A folder that holds nothing but the task."""
        root.mkdir(parents=True, exist_ok=True)
        shutil.copy(TASK, root / "tiny.toml")
        return cls(root)

    @property
    def store(self) -> Path:
        """The artifact store."""
        return self.root / "store"

    @property
    def out(self) -> Path:
        """The results folder."""
        return self.root / "results"

    def words(self, *words: str) -> list[str]:
        """The command line of ``bench run`` on the tiny task."""
        given = {word for word in words if word.startswith("--")}
        command = [sys.executable, "-m", "overopt", "run", "--task", "tiny.toml", "--quiet"]
        for option, value in (("--store", "store"), ("--out", "results"), ("--workers", "2")):
            command += [] if option in given else [option, value]
        return [*command, *words]

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run to the end."""
        return subprocess.run(
            self.words(*words),
            cwd=self.root,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=1800,
        )

    def done(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run to the end, which must be a good one."""
        ended = self.run(*words)
        assert ended.returncode == 0, ended.stderr
        return ended

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        """Start, and leave it to the caller to wait."""
        return subprocess.Popen(
            self.words(*words),
            cwd=self.root,
            env=environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def files(self) -> dict[str, bytes]:
        """Every file of the results but ``run.json``, which tells of places and times."""
        return {
            path.relative_to(self.out).as_posix(): path.read_bytes()
            for path in sorted(self.out.rglob("*"))
            if path.is_file() and path.name != "run.json"
        }

    def digests(self) -> dict[str, str]:
        """Key -> digest of the bytes of every artifact in the store."""
        return {
            manifest.key: manifest.digest
            for manifest in map(read_manifest, sorted(self.store.glob("??/*")))
        }

    def built(self) -> Counter[str]:
        """How often each key was built in this store."""
        lines = (self.store / "costs.jsonl").read_text().splitlines()
        return Counter(json.loads(line)["key"] for line in lines)

    def stages(self, stage: str) -> list[Path]:
        """Folders of the artifacts of one stage, by the last part of its name."""
        found = sorted(self.store.glob("??/*"))
        return [one for one in found if read_manifest(one).stage.rpartition(".")[2] == stage]

    def folder(self, method: str) -> Path:
        """The one run folder of a method."""
        (folder,) = (self.out / "tiny" / method).iterdir()
        return folder

    def points(self, method: str) -> list[dict[str, str]]:
        """Rows of the method's ``points.csv``."""
        with (self.folder(method) / "points.csv").open(newline="") as stream:
            return list(csv.DictReader(stream))

    def record(self, method: str) -> dict[str, Any]:
        """The method's ``run.json``."""
        record: dict[str, Any] = json.loads((self.folder(method) / "run.json").read_text())
        return record


def environment() -> dict[str, str]:
    """The environment without a store of the user's, one thread each, plain text."""
    kept = {name: value for name, value in os.environ.items() if name != "OVEROPT_STORE"}
    return {**kept, "OMP_NUM_THREADS": "1", "NO_COLOR": "1", "COLUMNS": "200"}
