"""The document of a submission, ``submission.json``: every key, its type and its bounds.

A submission is a folder of plain files that can be read without running anything: this document,
the method's file, the runs' tables of points, and pages of samples in safetensors (``pages``).
Version 1. A key never changes its meaning: new ones get defaults, so that old folders keep loading;
what cannot be had that way is a new version beside this one.
"""

from __future__ import annotations

import json
import re
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
        if not self.file.path.endswith(".py") or self.file.bytes > LARGEST_METHOD_BYTES:
            raise ValueError(
                f"a method is one .py file of at most {LARGEST_METHOD_BYTES >> 10} KiB"
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
        names = [self.spec.task.name, self.spec.gold.name]
        names += [one.name for one in (*self.spec.methods, *self.spec.proxies)]
        strange = [name for name in names if not re.fullmatch(NAME, name)]
        if strange:
            raise ValueError(f"spec holds the name {strange[0][:60]!r}; names are plain letters")
        for axis in ("worlds", "seeds"):
            seeds: tuple[int, ...] = getattr(self.spec, axis)
            if not seeds or len(set(seeds)) != len(seeds):
                raise ValueError(f"spec.{axis} must list distinct seeds")
            if min(seeds) < 0 or max(seeds) > LARGEST_SEED:
                raise ValueError(f"spec.{axis} must lie within 0 and {LARGEST_SEED}")
        spec = self.spec
        count = len(spec.worlds) * len(spec.seeds) * len(spec.proxies) * len(spec.noises)
        count *= len(spec.comparisons) * len(spec.proxy_starts) * len(spec.proxy_widths)
        count *= 1 + len(spec.flaws)
        if not 0 < count <= MOST_CELLS:
            raise ValueError(f"spec asks for {count} cells; a run has 1 to {MOST_CELLS}")
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
        names = {run.method for run in self.runs if run.role == "method"}
        if len(names) != 1:
            raise ValueError("runs must hold those of one method with role = 'method'")
        if isinstance(self.method, MethodShipped) and names != {self.method.name}:
            raise ValueError(f"method.name = {self.method.name!r} is not the method of the runs")
        paths = [one.path.lower() for one in self.files()]
        if len(set(paths)) != len(paths) or DOCUMENT in paths:
            raise ValueError("method or runs name a file twice; each part has a file of its own")
        total = sum(one.bytes for one in self.files())
        if total > LARGEST_FOLDER_BYTES:
            most = LARGEST_FOLDER_BYTES >> 20
            raise ValueError(f"the files of method and runs have more than {most} MiB together")
        return self

    def files(self) -> list[FileRef]:
        """Every file of the folder besides this document."""
        found = [self.method.file] if isinstance(self.method, MethodFile) else []
        for run in self.runs:
            found.append(run.points)
            for cell in run.cells:
                found += [cell.page.file] if cell.page is not None else []
                found += [policy.file for policy in cell.policies]
        return found

    @property
    def method_file(self) -> FileRef | None:
        """The method's file, where it comes with the submission."""
        return self.method.file if isinstance(self.method, MethodFile) else None

    @property
    def method_name(self) -> str:
        """Name of the method that is submitted."""
        return next(run.method for run in self.runs if run.role == "method")
