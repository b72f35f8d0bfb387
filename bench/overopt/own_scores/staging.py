"""Results that appear in a folder all at once, or not at all."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from overopt.errors import UserError


@contextmanager
def staging_folder(outdir: Path) -> Iterator[Path]:
    """A temporary folder whose files move into `outdir` when the block ends without an error.

    Files of the same names are replaced one by one, each at once. After an error nothing is left
    behind, nor is a folder that was not there before.

    Raises:
        UserError: if the folder cannot be written.
    """
    missing = [folder for folder in (outdir, *outdir.parents) if not folder.exists()]
    try:
        outdir.mkdir(parents=True, exist_ok=True)
        staged = Path(tempfile.mkdtemp(prefix=".writing-", dir=outdir))
    except OSError as error:
        _remove_empty(missing)
        raise _cannot_write(outdir, error) from error
    try:
        yield staged
        files = sorted(staged.iterdir())
        for file in files:
            if (outdir / file.name).is_dir():
                raise UserError(
                    f"{outdir / file.name}: a folder is in the way of the result of that name;"
                    " choose another folder"
                )
        for file in files:
            file.replace(outdir / file.name)
    except OSError as error:
        raise _cannot_write(outdir, error) from error
    finally:
        shutil.rmtree(staged, ignore_errors=True)
        _remove_empty(missing)


def _cannot_write(folder: Path, error: OSError) -> UserError:
    blocking = [path for path in (folder, *folder.parents) if path.exists() and not path.is_dir()]
    reason = f"{blocking[0]} is a file" if blocking else error.strerror or str(error)
    return UserError(
        f"{folder}: cannot write the results ({reason}); choose a folder that can be written"
    )


def _remove_empty(folders: Sequence[Path]) -> None:
    """Remove those of the folders that exist and hold nothing, innermost first."""
    for folder in folders:
        with suppress(OSError):
            folder.rmdir()
