"""The document of a submission, ``submission.json``: every key, its type and its bounds.

A submission is a folder of plain files that can be read without running anything: this document,
the method's file, the runs' tables of points, and pages of samples in safetensors (``pages``).
Version 1. A key never changes its meaning: new ones get defaults, so that old folders keep loading;
what cannot be had that way is a new version beside this one.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from overopt.leaderboard.submission.parts import DOCUMENT, LARGEST_TABLE_BYTES, Cell, FileRef
from overopt.leaderboard.submission.texts import (
    LARGEST_SEED,
    NAME,
    Commit,
    Contact,
    InnerPath,
    License,
    Line,
    Name,
    Person,
    Repository,
    Sha256,
    Version,
)
from overopt.spec.frozen import Spec
from overopt.spec.run import RunSpec

FORMAT = 1

LARGEST_DOCUMENT_BYTES = 2 << 20
LARGEST_METHOD_BYTES = 256 << 10
LARGEST_FOLDER_BYTES = 1 << 30
MOST_CELLS = 400
_ROOMS = (__name__, FileRef.__module__)
MOST_RUNS = 16


def published_schema() -> str:
    """The JSON Schema of this version, as ``docs/submission.schema.json`` has it.

    What is said of specifications in words is left out there: ``spec`` is that of ``run.json``, and
    its words change without its keys.
    """
    schema = Submission.model_json_schema()
    own = {part.__name__ for part in (*Spec.__subclasses__(),) if part.__module__ in _ROOMS}
    for name, part in schema["$defs"].items():
        if name not in own:
            part.pop("description", None)
    return json.dumps(schema, indent=1, sort_keys=True) + "\n"


class MethodFile(Spec):
    """A method that comes with the submission: one Python file, never run outside of a sandbox."""

    kind: Literal["file"]
    file: FileRef

    @model_validator(mode="after")
    def _is_small_python(self) -> Self:
        if not self.file.path.endswith(".py"):
            raise ValueError(f"path = {self.file.path!r}: a method is one .py file")
        if self.file.bytes > LARGEST_METHOD_BYTES:
            raise ValueError(
                f"bytes = {self.file.bytes}: a method has at most {LARGEST_METHOD_BYTES >> 10} KiB"
            )
        return self


class MethodCommit(Spec):
    """A method that lies in a public repository, pinned to a commit, as a register would have it.

    path: of its file in the repository. sha256: of that file at that commit.
    """

    kind: Literal["commit"]
    repository: Repository
    commit: Commit
    path: InnerPath
    sha256: Sha256


class MethodShipped(Spec):
    """A method that overopt ships."""

    kind: Literal["shipped"]
    name: Name


Method = Annotated[MethodFile | MethodCommit | MethodShipped, Field(discriminator="kind")]


class SubmittedRun(Spec):
    """One run: the entry's own, or that of a control in the same worlds.

    spec, spec_sha256, commit, dirty: as in ``run.json``. points: ``points.csv``, byte for byte.
    """

    role: Literal["method", "control"]
    spec: RunSpec
    spec_sha256: Sha256
    commit: Commit | None
    dirty: bool
    points: FileRef
    cells: tuple[Cell, ...] = Field(min_length=1, max_length=MOST_CELLS)

    @model_validator(mode="after")
    def _is_bounded(self) -> Self:
        if len(self.spec.methods) != 1:
            raise ValueError("spec.methods must name one method, as run.json does")
        names = {"task": self.spec.task.name, "gold": self.spec.gold.name}
        for axis in ("methods", "proxies"):
            names |= {f"{axis}.{n}": one.name for n, one in enumerate(getattr(self.spec, axis))}
        for place, name in names.items():
            if not re.fullmatch(NAME, name):
                raise ValueError(f"spec.{place}.name = {name[:60]!r}; names are plain letters")
        for axis in ("worlds", "seeds"):
            seeds: tuple[int, ...] = getattr(self.spec, axis)
            if not seeds or len(set(seeds)) != len(seeds):
                raise ValueError(f"spec.{axis} must list distinct seeds")
            if min(seeds) < 0 or max(seeds) > LARGEST_SEED:
                raise ValueError(f"spec.{axis} must lie within 0 and {LARGEST_SEED}")
        axes = ("worlds", "seeds", "proxies", "noises", "comparisons", "proxy_starts")
        counts = {axis: len(getattr(self.spec, axis)) for axis in (*axes, "proxy_widths")}
        counts["flaws"] = 1 + len(self.spec.flaws)
        if empty := [axis for axis, count in counts.items() if not count]:
            raise ValueError(f"spec.{empty[0]} must not be empty")
        cells = math.prod(counts.values())
        if cells > MOST_CELLS:
            listed = " x ".join(f"{count} {axis}" for axis, count in counts.items() if count > 1)
            raise ValueError(f"spec asks for {cells} cells ({listed}); a run has 1 to {MOST_CELLS}")
        if self.points.bytes > LARGEST_TABLE_BYTES:
            raise ValueError(f"points.bytes is more than {LARGEST_TABLE_BYTES >> 20} MiB")
        return self

    @property
    def method(self) -> str:
        """Name of the run's method."""
        return self.spec.methods[0].name


class Environment(Spec):
    """What the runs were made with.

    platform: system and processor. packages: name and version.
    """

    python: Version
    overopt: Version
    platform: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_. -]{0,99}$")]
    packages: dict[Name, Version] = Field(max_length=200)


class Submission(Spec):
    """A submission: who submits which method, and the runs that speak for it.

    entry: its name on the leaderboard. summary: one line on the idea.
    license: of the method's file and of the results, by its SPDX identifier.
    """

    format: Literal[1]
    entry: Name
    summary: Line
    who: Person
    contact: Contact
    license: License
    method: Method
    environment: Environment
    runs: tuple[SubmittedRun, ...] = Field(min_length=1, max_length=MOST_RUNS)

    @model_validator(mode="after")
    def _has_own_runs_and_distinct_files(self) -> Self:
        named = {
            f"runs.{number}.spec.methods": run.method
            for number, run in enumerate(self.runs)
            if run.role == "method"
        }
        if len(set(named.values())) != 1:
            told = ", ".join(f"{place} {name!r}" for place, name in named.items())
            raise ValueError(
                f"runs with role = 'method' must be of one method; there is {told or 'no such run'}"
            )
        place, name = next(iter(named.items()))
        if isinstance(self.method, MethodShipped) and name != self.method.name:
            raise ValueError(
                f"method.name = {self.method.name!r} is not the method of the runs; {place} has "
                f"{name!r}"
            )
        total, seen = 0, {DOCUMENT: "the document"}
        for place, one in self._placed_files():
            total += one.bytes
            # some systems do not tell capitals apart
            if (earlier := seen.setdefault(one.path.lower(), place)) != place:
                raise ValueError(
                    f"{place}.path = {one.path!r} is the file of {earlier}; each part has its own"
                )
        if total > LARGEST_FOLDER_BYTES:
            most = LARGEST_FOLDER_BYTES >> 20
            raise ValueError(f"the files of method and runs have more than {most} MiB together")
        return self

    def files(self) -> list[FileRef]:
        """Every file of the folder besides this document."""
        return [file for _, file in self._placed_files()]

    def _placed_files(self) -> Iterator[tuple[str, FileRef]]:
        if isinstance(self.method, MethodFile):
            yield "method.file", self.method.file
        for number, run in enumerate(self.runs):
            yield f"runs.{number}.points", run.points
            for index, cell in enumerate(run.cells):
                place = f"runs.{number}.cells.{index}"
                if cell.page is not None:
                    yield f"{place}.page.file", cell.page.file
                for nth, policy in enumerate(cell.policies):
                    yield f"{place}.policies.{nth}.file", policy.file

    @property
    def method_file(self) -> FileRef | None:
        """The method's file, where it comes with the submission."""
        return self.method.file if isinstance(self.method, MethodFile) else None

    @property
    def method_name(self) -> str:
        """Name of the method that is submitted."""
        return next(run.method for run in self.runs if run.role == "method")
