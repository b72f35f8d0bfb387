"""Submissions as run folders: their tables of points under the name of the entry."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from overopt.catalog import lookup
from overopt.errors import UserError
from overopt.leaderboard.ranking.facts import Status
from overopt.leaderboard.submission.files import check_content, read_plain
from overopt.leaderboard.submission.parts import DOCUMENT, FileRef

LARGEST_DOCUMENT_BYTES = 4 << 20


class Specified(Protocol):
    """The specification of a run, `overopt.spec.run.RunSpec`."""

    @property
    def standard(self) -> bool:
        """Whether these are the task's own settings."""
        ...

    def to_json(self) -> dict[str, Any]:
        """Itself as JSON."""
        ...


class SubmittedRun(Protocol):
    """What is read of `overopt.leaderboard.submission.schema.SubmittedRun`."""

    @property
    def role(self) -> str:
        """``method`` or ``control``."""
        ...

    @property
    def method(self) -> str:
        """Name of its method."""
        ...

    @property
    def spec(self) -> Specified:
        """What was run."""
        ...

    @property
    def commit(self) -> str | None:
        """Of overopt."""
        ...

    @property
    def points(self) -> FileRef:
        """The table of points."""
        ...


class Submission(Protocol):
    """What is read of `overopt.leaderboard.submission.schema.Submission`."""

    @property
    def entry(self) -> str:
        """Its name."""
        ...

    @property
    def runs(self) -> Sequence[SubmittedRun]:
        """Its runs, those of controls among them."""
        ...

    @property
    def method_file(self) -> FileRef | None:
        """The method's file, where it comes with it."""
        ...


class Reader(NamedTuple):
    """How submissions are read, and where their standing is found.

    Attributes:
        read: reads and checks a submission's folder, `overopt.leaderboard.submission.reading`.
        standing: of an entry, by its name and the SHA-256 of its document. It lies with those who
            verify, and never in the submission, where its authors could write it.
    """

    read: Callable[[Path], Submission]
    standing: Callable[[str, str], Status]


class Submitted(NamedTuple):
    """Submissions, ready to be read beside results.

    Attributes:
        runs: run folders, made for the moment.
        statuses: by entry.
        lines: of each entry's method file, where it comes with it.
    """

    runs: list[Path]
    statuses: Mapping[str, Status]
    lines: Mapping[str, int]


@contextmanager
def submitted_runs(folder: Path, reader: Reader) -> Iterator[Submitted]:
    """Every submission below a folder, each checked by the schema; none where there is no folder.

    Args:
        folder: which holds a folder for each.
        reader: reads one, and finds its standing.

    Nothing of a submission is executed: its tables are read as text, and its method's name becomes
    the entry's.

    Raises:
        UserError: a submission is not as it should be, or two have the same name.
    """
    if not folder.is_dir():
        yield Submitted([], {}, {})
        return
    places = sorted(path for path in folder.iterdir() if path.is_dir() or path.is_symlink())
    statuses: dict[str, Status] = {}
    lines: dict[str, int] = {}
    runs: list[Path] = []
    with tempfile.TemporaryDirectory(prefix="overopt-submissions-") as kept:
        for place in places:
            submission = reader.read(place)
            name = entry_name(submission)
            if name in statuses:
                raise UserError(f"{place}: there is an entry {name} already; choose another name.")
            document = read_plain(place / DOCUMENT, LARGEST_DOCUMENT_BYTES, f"{place}: no document")
            digest = hashlib.sha256(document).hexdigest()
            statuses[name] = reader.standing(submission.entry, digest)
            if submission.method_file is not None:
                content = check_content(place, submission.method_file)
                lines[name] = len(content.splitlines())
            for number, run in enumerate(submission.runs):
                if run.role == "method":
                    made = (
                        Path(kept)
                        / str(run.spec.to_json()["task"]["name"])
                        / name
                        / f"run-{number:010d}"
                    )
                    _write_run(place, run, name, made)
                    runs.append(made)
        yield Submitted(runs, statuses, lines)


def entry_name(submission: Submission) -> str:
    """What the entry is called: never as a method that overopt ships."""
    taken = lookup.canonical(submission.entry).lower() in lookup.names("methods")
    return f"{submission.entry} (submitted)" if taken else submission.entry


def _write_run(place: Path, run: SubmittedRun, name: str, made: Path) -> None:
    text = check_content(place, run.points)
    try:
        rows = list(csv.reader(io.StringIO(text.decode(), newline=""), strict=True))
        column = rows[0].index("method")
    except (UnicodeDecodeError, csv.Error, IndexError, ValueError) as error:
        raise UserError(
            f"{place / run.points.path}: it is no table of points with a column method; prepare "
            "the submission again."
        ) from error
    for number, row in enumerate(rows[1:], start=2):
        if len(row) != len(rows[0]) or row[column] != run.method:
            raise UserError(
                f"{place / run.points.path}, line {number}: it is no row of {run.method}; prepare "
                "the submission again."
            )
        row[column] = name
    made.mkdir(parents=True)
    with (made / "points.csv").open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream, lineterminator="\n").writerows(rows)
    spec: dict[str, Any] = run.spec.to_json()
    spec["methods"] = [{**one, "name": name} for one in spec["methods"]]
    record = {"spec": spec, "standard": run.spec.standard, "commit": run.commit}
    (made / "run.json").write_text(json.dumps(record), encoding="utf-8")
