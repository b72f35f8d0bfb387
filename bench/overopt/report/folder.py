"""The folder of a report: filled all at once, and its former files taken away.

A report's files are listed in ``report.json``. The next report of the same folder replaces these
and no others, and a folder with files that no report wrote is refused.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath

from overopt.errors import UserError

PAGE, MANIFEST = "report.html", "report.json"
_KIND = "overopt report"
_DRAFT = ".writing-report-"
_ENDINGS = frozenset((".html", ".png", ".pdf", ".csv", ".tex"))
_FORMER = re.compile(
    r"(?:curves|fits|scores)\.(?:csv|tex)|report\.html"
    r"|(?:gold_d|gold_kl|gap|fits|residuals|front|estimators)(?:_\d+)*\.(?:png|pdf)"
)
"""Files of reports that listed none."""


@contextmanager
def report_folder(out: Path) -> Iterator[Path]:
    """A temporary folder whose files replace those of the former report when the block ends.

    Every file is synced and then renamed, the page last, so that a crash leaves files that are
    whole; what it left behind is taken away by the next report. After an error in the block, the
    former report stands as it was.

    Raises:
        UserError: the folder holds files that no report wrote, or cannot be written.
    """
    former = _former_files(out)
    try:
        out.mkdir(parents=True, exist_ok=True)
        for left in out.glob(f"{_DRAFT}*"):
            shutil.rmtree(left, ignore_errors=True)
        staged = Path(tempfile.mkdtemp(prefix=_DRAFT, dir=out))
    except OSError as error:
        raise _cannot_write(out, error) from error
    try:
        yield staged
        _replace(out, staged, former)
    except OSError as error:
        raise _cannot_write(out, error) from error
    finally:
        shutil.rmtree(staged, ignore_errors=True)


def check_folder(out: Path) -> None:
    """Refuse a folder that a report may not replace, before any work is done for it."""
    _former_files(out)


def _replace(out: Path, staged: Path, former: set[str]) -> None:
    files = [path.relative_to(staged) for path in staged.rglob("*") if path.is_file()]
    files.sort(key=lambda path: (path.name == PAGE, path.as_posix()))
    named = {path.as_posix() for path in files}
    _list_files(staged, out, former | named)
    for path in files:
        (out / path).parent.mkdir(exist_ok=True)
        _sync(staged / path)
        (staged / path).replace(out / path)
    for name in former - named:
        (out / name).unlink(missing_ok=True)
        with suppress(OSError):  # a folder of figures that holds nothing more
            if (out / name).parent != out:
                (out / name).parent.rmdir()
    _list_files(staged, out, named)
    _sync(out)


def _list_files(staged: Path, out: Path, names: set[str]) -> None:
    text = json.dumps({"kind": _KIND, "files": sorted(names)}, indent=1) + "\n"
    draft = staged / MANIFEST
    draft.write_text(text, encoding="utf-8")
    _sync(draft)
    draft.replace(out / MANIFEST)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _former_files(out: Path) -> set[str]:
    """Files of the report that is there, relative to the folder.

    Raises:
        UserError: the folder holds anything but a report.
    """
    if not out.exists():
        return set()
    if not out.is_dir():
        raise UserError(f"{out} is a file; give --out a folder that is new, empty or a report.")
    listed = _listed(out / MANIFEST)
    if listed is not None:
        return {name for name in listed if _is_ours(name)}
    inside = {path.name for path in out.iterdir() if not path.name.startswith(_DRAFT)}
    former = {name for name in inside if _FORMER.fullmatch(name)}
    if not inside or PAGE in former:
        return former
    raise UserError(
        f"{out} holds files that are not of a report ({sorted(inside)[0]}); give --out a folder "
        "that is new, empty or a report."
    )


def _listed(manifest: Path) -> list[str] | None:
    """Names in a report's list; None where the file is no such list."""
    try:
        listed = json.loads(manifest.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(listed, dict) or listed.get("kind") != _KIND:
        return None
    files = listed.get("files")
    return [name for name in files if isinstance(name, str)] if isinstance(files, list) else None


def _is_ours(name: str) -> bool:
    """Whether a report may have written a listed name: below its folder, of its kinds."""
    path = PurePosixPath(name)
    return (
        not path.is_absolute()
        and ".." not in path.parts
        and len(path.parts) <= 2
        and path.suffix in _ENDINGS
    )


def _cannot_write(out: Path, error: OSError) -> UserError:
    return UserError(
        f"The report cannot be written to {out} ({error.strerror}); give another folder with --out."
    )
