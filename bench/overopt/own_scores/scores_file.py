"""Somebody else's scores on disk, read into a `ScoredTable`: which column is taken for what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from overopt.errors import UserError
from overopt.own_scores.words import count
from overopt.stats.arrays import Floats
from overopt.stats.scored_table import ScoredTable
from overopt.tables.cells import count_nan
from overopt.tables.table_file import (
    Column,
    Table,
    holds_numbers,
    read_ids,
    read_numbers,
    read_table,
    require_column,
)

MOST_PROXIES = 50
LENGTH_PROXIES = {"length": "characters", "length_words": "words"}


@dataclass(frozen=True)
class ScoresFile:
    """A table of scores as read, and which of its columns were taken for what.

    Attributes:
        table: the validated scores.
        path: the file.
        prompt: column of prompt ids.
        sample: column of sample ids, or None where rows are numbered within their prompt.
        gold: column of gold scores.
        proxies: names of the proxies, derived ones included.
        notes: choices made on the user's behalf, one sentence each.
    """

    table: ScoredTable
    path: Path
    prompt: str
    sample: str | None
    gold: str
    proxies: tuple[str, ...]
    notes: tuple[str, ...]


def read_scores(
    path: str | Path,
    gold: str | None = None,
    proxies: Sequence[str] | None = None,
    prompt: str | None = None,
    sample: str | None = None,
    response: str | None = None,
) -> ScoresFile:
    """Read and validate a table of scored samples from .parquet, .csv or .jsonl.

    Args:
        path: the file.
        gold: gold column; `gold` by default.
        proxies: proxy columns; by default those named `proxy` or `proxy_...`, else all other
            columns of numbers. `length` and `length_words` are derived from the responses when no
            column has that name.
        prompt: prompt id column; `prompt_id`, else `prompt` by default.
        sample: sample id column; `sample_id`, else `source` by default, else rows are numbered
            within their prompt.
        response: column of texts for the length proxies; `response` by default.

    Raises:
        UserError: if the file is missing, of another kind, unreadable or empty; a column is
            missing; an id is missing or a (prompt, sample) pair occurs twice; a score is infinite
            or no number; gold and a proxy have no row in common.
    """
    file = Path(path)
    frame = read_table(file)
    notes: list[str] = []
    prompt_column = _choose(file, frame, prompt, ("prompt_id", "prompt"), "prompt")
    gold_column = _choose(file, frame, gold, ("gold",), "gold")
    sample_column = _choose_sample(file, frame, sample, {prompt_column, gold_column}, notes)
    _refuse_two_roles(file, {"prompt": prompt_column, "gold": gold_column, "sample": sample_column})
    if response is not None:
        require_column(file, frame, response, "--response")
    prompt_R = read_ids(file, frame, prompt_column)
    sample_R: NDArray[np.generic]
    if sample_column is None:
        sample_R = frame.groupby(prompt_R).cumcount().to_numpy(np.int64)
    else:
        sample_R = read_ids(file, frame, sample_column)
    _refuse_duplicates(file, prompt_R, sample_R, prompt_column, sample_column)
    taken = {prompt_column, gold_column, sample_column}
    names = _choose_proxies(file, frame, proxies, taken, response, notes)
    if len(names) > MOST_PROXIES:
        raise UserError(
            f"{file}: {len(names)} proxies are more than one figure shows ({MOST_PROXIES}); choose "
            "some with --proxy"
        )
    gold_R = read_numbers(file, frame, gold_column)
    _refuse_empty(file, gold_column, gold_R, "--gold")
    scores = {name: _proxy(file, frame, name, response) for name in names}
    for name, values in scores.items():
        _refuse_empty(file, name, values, "--proxy")
        if not np.any(~np.isnan(values) & ~np.isnan(gold_R)):
            raise UserError(
                f"{file}: no row has both {gold_column!r} and {name!r}; score at least some samples"
                " with both, or choose another column with --gold or --proxy"
            )
    for name in (gold_column, *names):
        if name in frame and (nans := count_nan(frame[name])):
            notes.append(
                f"{count(nans, 'score')} of {name} {'is' if nans == 1 else 'are'} NaN and left out "
                "as missing; a reward model that diverged writes NaN too"
            )
    return ScoresFile(
        table=ScoredTable(prompt_R, sample_R, gold_R, scores),
        path=file,
        prompt=prompt_column,
        sample=sample_column,
        gold=gold_column,
        proxies=tuple(names),
        notes=tuple(notes),
    )


def length_proxy(responses: Sequence[Any] | Column, unit: str = "characters") -> Floats:
    """Length of each response, in characters or whitespace-separated words; NaN where missing.

    Raises:
        ValueError: if the unit is neither of the two.
    """
    if unit not in ("characters", "words"):
        raise ValueError(f"unit must be characters or words, got {unit!r}")
    lengths = [
        float(len(text) if unit == "characters" else len(text.split()))
        if isinstance(text, str)
        else np.nan
        for text in responses
    ]
    return np.array(lengths, np.float64)


def _choose(
    file: Path, frame: Table, asked: str | None, defaults: tuple[str, ...], role: str
) -> str:
    if asked is not None:
        return require_column(file, frame, asked, f"--{role}")
    found = next((name for name in defaults if name in frame), None)
    return found if found is not None else require_column(file, frame, defaults[0], f"--{role}")


def _choose_sample(
    file: Path, frame: Table, asked: str | None, taken: set[str], notes: list[str]
) -> str | None:
    if asked is not None:
        return require_column(file, frame, asked, "--sample")
    free = (name for name in ("sample_id", "source") if name in frame and name not in taken)
    found = next(free, None)
    if found is None:
        notes.append("there is no sample_id or source column, so rows were numbered")
    elif found == "source":
        notes.append("there is no sample_id column, so source names the samples of a prompt")
    return found


def _choose_proxies(
    file: Path,
    frame: Table,
    asked: Sequence[str] | None,
    taken: set[str | None],
    response: str | None,
    notes: list[str],
) -> list[str]:
    if asked is not None and len(asked) > 0:
        names = list(dict.fromkeys(asked))
        for name in names:
            if name not in LENGTH_PROXIES:
                require_column(file, frame, name, "--proxy")
            elif name in frame:
                notes.append(f"{name} is a column of the table, so it was not derived")
        return names
    free = [str(name) for name in frame.columns if name not in taken]
    named = [name for name in free if name == "proxy" or name.startswith("proxy_")]
    names = named or [name for name in free if holds_numbers(frame, name)]
    if response is not None and "length" not in names:
        names = [*names, "length"]
    if not names:
        raise UserError(
            f"{file}: there is no proxy column among {', '.join(free) or 'the columns'}; add a"
            " column of proxy scores, or use --proxy length if there is a column of responses"
        )
    notes.append(f"proxies taken: {', '.join(names)}")
    return names


def _proxy(file: Path, frame: Table, name: str, response: str | None) -> Floats:
    """A proxy's column, or a length derived from the responses."""
    if name in frame or name not in LENGTH_PROXIES:
        return read_numbers(file, frame, name)
    column = require_column(file, frame, response or "response", "--response")
    values = frame[column].to_numpy(dtype=object)
    no_text = frame[column].notna().to_numpy(np.bool_) & ~np.array(
        [isinstance(value, str) for value in values]
    )
    if no_text.any():
        row = int(np.argmax(no_text))
        raise UserError(
            f"{file}: column {column!r} holds no text in data row {row + 1}; name the column of"
            " responses with --response"
        )
    return length_proxy(values, LENGTH_PROXIES[name])


def _refuse_two_roles(file: Path, roles: dict[str, str | None]) -> None:
    named = [(role, column) for role, column in roles.items() if column is not None]
    for position, (role, column) in enumerate(named):
        for other, same in named[:position]:
            if column == same:
                raise UserError(
                    f"{file}: column {column!r} cannot be both --{other} and --{role}; name two"
                    " columns"
                )


def _refuse_empty(file: Path, column: str, values: Floats, option: str) -> None:
    if np.isnan(values).all():
        raise UserError(
            f"{file}: column {column!r} holds no number at all, every score is missing; choose"
            f" another column with {option}"
        )


def _refuse_duplicates(
    file: Path,
    prompt_R: Column,
    sample_R: NDArray[np.generic],
    prompt_column: str,
    sample_column: str | None,
) -> None:
    pairs = pd.DataFrame({"prompt": prompt_R, "sample": sample_R})
    duplicated = pairs.duplicated().to_numpy(np.bool_)
    if duplicated.any():
        row = int(np.argmax(duplicated))
        raise UserError(
            f"{file}: data row {row + 1} repeats {prompt_column} {prompt_R[row]!r} with"
            f" {sample_column} {sample_R[row]!r}, each pair may occur once; remove the repetition"
            " or name another column with --sample"
        )
