"""The rows of a training log: a table in csv or jsonl, or the log history of a trainer's state.

Reading is strict and bounded: a log is small, so that a file of another kind or one made to fill
the memory is refused before it is parsed.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from overopt.errors import UserError
from overopt.own_scores.table_file import read_table
from overopt.spec.documents import parse_json

STATE_NAME = "trainer_state.json"
LARGEST_BYTES = 64 << 20
MOST_ROWS = 200_000
MOST_COLUMNS = 2_000

Row = dict[str, object]


class LogRows(NamedTuple):
    """A log as it stands.

    Attributes:
        file: the file that holds it.
        rows: its rows.
        saved_every: steps between checkpoints, where a trainer's state says so.
    """

    file: Path
    rows: list[Row]
    saved_every: int | None


def read_rows(path: Path) -> LogRows:
    """The file that holds the log, and its rows as they stand.

    Args:
        path: a .csv, .jsonl or .json file; or a folder of a trainer, whose newest
            trainer_state.json is read.

    Raises:
        UserError: if there is no such file, it is of another kind, too large, unreadable or empty.
    """
    file = _state_of(path) if path.is_dir() else path
    suffix = file.suffix.lower()
    if suffix not in (".csv", ".jsonl", ".json"):
        raise UserError(
            f"{file}: the suffix is {file.suffix!r}, allowed are .csv, .jsonl and a trainer's "
            f"{STATE_NAME}; export the log as one of these"
        )
    if not file.is_file():
        raise UserError(f"{file}: there is no such file; give the path of a training log")
    try:
        size = file.stat().st_size
    except OSError as error:
        raise UserError(f"{file}: cannot be read ({error.strerror}); give another log") from error
    if size == 0:
        raise UserError(f"{file}: the file is empty; give a log of at least one step")
    if size > LARGEST_BYTES:
        raise UserError(
            f"{file}: it has {size / 2**20:.0f} MiB, a log may have {LARGEST_BYTES >> 20}; keep "
            "the columns of step, KL and rewards only"
        )
    saved_every: int | None = None
    if suffix == ".csv":
        rows = _read_csv(file)
    else:
        state = _read_state(file) if suffix == ".json" else None
        rows = _read_jsonl(file) if state is None else list(state["log_history"])
        saved_every = None if state is None else _saved_every(state)
    names = {name for row in rows for name in row}
    if not rows or not names:
        raise UserError(f"{file}: there is no row; give a log of at least one step")
    if len(names) > MOST_COLUMNS:
        raise UserError(
            f"{file}: it has {len(names)} columns, a log may have {MOST_COLUMNS}; keep those of "
            "step, KL and rewards"
        )
    return LogRows(file, rows, saved_every)


def _state_of(folder: Path) -> Path:
    """The newest state that a trainer left in its output folder."""
    if (folder / STATE_NAME).is_file():
        return folder / STATE_NAME
    found = [
        (int(one.parent.name.removeprefix("checkpoint-")), one)
        for one in folder.glob(f"checkpoint-*/{STATE_NAME}")
        if one.parent.name.removeprefix("checkpoint-").isdecimal()
    ]
    if not found:
        raise UserError(
            f"{folder}: there is no {STATE_NAME} in this folder nor in a checkpoint-* of it; give "
            "the log itself, or the folder with --policy to measure its checkpoints"
        )
    return max(found)[1]


def _read_csv(file: Path) -> list[Row]:
    with file.open("rb") as lines:
        count = sum(1 for _ in lines)
    _check_count(file, count - 1)
    frame = read_table(file)
    return [dict(zip(frame.columns, row, strict=True)) for row in frame.itertuples(index=False)]


def _read_jsonl(file: Path) -> list[Row]:
    rows: list[Row] = []
    names: set[str] = set()
    with file.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            row = _parse(file, line, f"line {number}: ")
            if not isinstance(row, dict):
                raise UserError(f"{file}: line {number} is no JSON object; write one object a line")
            rows.append(row)
            names.update(row)
            _check_count(file, len(rows))
            if len(names) > MOST_COLUMNS:
                break
    return rows


def _read_state(file: Path) -> dict[str, Any]:
    """A trainer's state with its log history."""
    state = _parse(file, file.read_bytes(), "")
    history = state.get("log_history") if isinstance(state, dict) else None
    if not isinstance(history, list) or not all(isinstance(row, dict) for row in history):
        raise UserError(
            f"{file}: it has no log_history, a list of objects as in transformers' {STATE_NAME}; "
            "write other logs as .csv or .jsonl"
        )
    _check_count(file, len(history))
    return dict(state)


def _saved_every(state: dict[str, Any]) -> int | None:
    """Steps between checkpoints, where the state says so in a whole number."""
    every = state.get("save_steps")
    whole = isinstance(every, int) and not isinstance(every, bool) and every > 0
    return every if whole else None


def _parse(file: Path, text: bytes, where: str) -> Any:
    try:
        return parse_json(text.decode("utf-8-sig"), any_number=True)
    except json.JSONDecodeError as error:
        raise UserError(f"{file}: {where}no readable JSON ({error.msg}); write it again") from error
    except ValueError as error:
        reason = str(error).splitlines()[0] if str(error) else "unreadable"
        raise UserError(f"{file}: {where}no readable JSON ({reason}); write it again") from error


def _check_count(file: Path, rows: int) -> None:
    if rows > MOST_ROWS:
        raise UserError(
            f"{file}: it has more than {MOST_ROWS:,} rows; keep every tenth step, or fewer"
        )
