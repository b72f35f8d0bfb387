"""What stands in the folder of ``--out`` already: nothing of a run that was made is overwritten."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from overopt.errors import UserError
from overopt.spec.columns import PROMPTS_FILE
from overopt.spec.documents import parse_json

MEASURED = "measured"
"""Family and engine of what was made elsewhere."""

CHECKPOINTS_NAME = "checkpoints.csv"
_RECORD = "run.json"
_OF_RUN = (_RECORD, "points.csv", PROMPTS_FILE, "contrasts.csv", "budgets.csv", CHECKPOINTS_NAME)
"""Files of a measurement that a later one may not write."""


def refuse_run(out: Path) -> None:
    """Refuse a folder that holds a run of ``bench run``, or a record that cannot be read.

    Raises:
        UserError: if it does.
    """
    if (out / _RECORD).exists() and not _is_measured(out):
        raise UserError(
            f"--out {out}: it holds a run that was not measured here, and its files would be lost; "
            "choose another folder"
        )


def remove_earlier(out: Path, written: Iterable[str]) -> None:
    """Remove what an earlier measurement left and this one has not written.

    Args:
        out: the folder, which has the new files already.
        written: their names.

    Raises:
        UserError: if a file cannot be removed.
    """
    for name in set(_OF_RUN) - set(written):
        try:
            (out / name).unlink(missing_ok=True)
        except OSError as error:
            raise UserError(
                f"{out / name}: it is of an earlier measurement and cannot be removed "
                f"({error.strerror}); remove it"
            ) from error


def is_earlier(out: Path) -> bool:
    """Whether an earlier measurement filled the folder: by its record, or by its figure alone."""
    if (out / _RECORD).exists():
        return _is_measured(out)
    return (out / f"{MEASURED}.png").is_file() and not (out / "points.csv").exists()


def _is_measured(out: Path) -> bool:
    try:
        record = parse_json((out / _RECORD).read_bytes())
    except (OSError, ValueError):
        return False
    spec = record.get("spec") if isinstance(record, dict) else None
    return isinstance(spec, dict) and isinstance(spec.get(MEASURED), dict)
