"""The folder of a report: filled all at once, and its former files taken away.

A report's files are listed in ``report.json``. The next report of the same folder replaces these
and no others, and a folder with files that no report wrote is refused.
"""

from __future__ import annotations

import glob
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath

from overopt.errors import UserError
from overopt.execution.exchange import exchange
from overopt.execution.synced import sync_folder, sync_tree

PAGE, MANIFEST = "report.html", "report.json"
_KIND = "overopt report"
_DRAFT = ".writing-report-"
_DRAWN = re.compile(r"[a-z0-9_]{8}")
"""What tells drafts of one report apart (`tempfile.mkdtemp`)."""
_ENDINGS = frozenset((".html", ".png", ".pdf", ".csv", ".tex", ".md", ".json"))
_FORMER = re.compile(
    r"(?:curves|fits|scores)\.(?:csv|tex)|report\.html"
    r"|(?:gold_d|gold_kl|gap|fits|residuals|front|estimators)(?:_\d+)*\.(?:png|pdf)"
)
"""Files of reports that listed none."""


@contextmanager
def report_folder(out: Path) -> Iterator[Path]:
    """A temporary folder whose files replace those of the former report when the block ends.

    The two folders change places, so that at any moment the former report or the new one is there
    as a whole. Where the system cannot do that, or the folder holds files of somebody else or is
    the one that the command stands in, files are renamed one by one, the page last. What a crash
    left behind is taken away by the next report. After an error in the block, the former report
    stands as it was.

    Raises:
        UserError: the folder holds files that no report wrote, or cannot be written.
    """
    former = _former_files(out)
    try:
        out.mkdir(parents=True, exist_ok=True)
        whole = out.resolve()
        staged = _stage(whole)
    except OSError as error:
        raise _cannot_write(out, error) from error
    try:
        yield staged
        if not _swap(whole, staged, former):
            _replace(out, staged, former)
    except OSError as error:
        raise _cannot_write(out, error) from error
    finally:
        shutil.rmtree(staged, ignore_errors=True)


def check_folder(out: Path) -> None:
    """Refuse a folder that a report may not replace, before any work is done for it."""
    _former_files(out)


def _stage(whole: Path) -> Path:
    """A folder beside the report, or in it where nothing can be made beside it."""
    beside = f"{_DRAFT}{whole.name}-"
    leftovers = [*whole.glob(f"{_DRAFT}*")]
    leftovers += [
        path
        for path in whole.parent.glob(f"{glob.escape(beside)}*")
        if _DRAWN.fullmatch(path.name.removeprefix(beside))
    ]
    for left in leftovers:
        shutil.rmtree(left, ignore_errors=True)
    try:
        return Path(tempfile.mkdtemp(prefix=beside, dir=whole.parent))
    except OSError:
        return Path(tempfile.mkdtemp(prefix=_DRAFT, dir=whole))


def _swap(whole: Path, staged: Path, former: set[str]) -> bool:
    """Put the new folder in the place of the former one, at once; False where that cannot be."""
    there = {path.relative_to(whole).as_posix() for path in whole.rglob("*") if not path.is_dir()}
    if staged.parent != whole.parent or there - former - {MANIFEST} or whole == Path.cwd():
        return False
    names = {path.relative_to(staged).as_posix() for path in staged.rglob("*") if path.is_file()}
    (staged / MANIFEST).write_text(_list(names), encoding="utf-8")
    sync_tree(staged)
    staged.chmod(whole.stat().st_mode)
    if not exchange(staged, whole):
        (staged / MANIFEST).unlink()
        return False
    sync_folder(whole.parent)
    return True


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
    draft = staged / MANIFEST
    draft.write_text(_list(names), encoding="utf-8")
    _sync(draft)
    draft.replace(out / MANIFEST)


def _list(names: set[str]) -> str:
    return json.dumps({"kind": _KIND, "files": sorted(names)}, indent=1) + "\n"


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
    except (OSError, ValueError, RecursionError):
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
