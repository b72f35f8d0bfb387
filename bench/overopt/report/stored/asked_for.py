"""Folders of a command that measures cells of runs: a record of what was asked for, and a table."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
import pandas as pd
from pydantic import ValidationError

from overopt.errors import UserError
from overopt.report.stored.files import names_of, numbers_of, read_record, read_table
from overopt.spec.frozen import Spec

Found = TypeVar("Found")
Run = TypeVar("Run", bound=Spec)
Asked = TypeVar("Asked", bound=Spec)


class Layout(NamedTuple):
    """A table's columns, by what they hold.

    Attributes:
        texts, numbers: names of columns; ``spec`` among the numbers counts runs from 0.
        optional: numbers that may be missing.
        again: what to do about a damaged file, such as ``draw it again``.
    """

    texts: Sequence[str]
    numbers: Sequence[str]
    optional: Collection[str]
    again: str


def find_folders(
    places: Iterable[Path],
    record: str,
    read: Callable[[Path], Found | None],
    tell: Callable[[str], None],
) -> list[Found]:
    """Every folder with a record at or below some places, in the order of their names.

    Args:
        places: folders.
        record: name of the record's file.
        read: reads a folder; None where another version wrote it.
        tell: told of folders that were left out for that.

    Raises:
        UserError: one is damaged.
    """
    folders = {file.parent.resolve() for place in places for file in place.rglob(record)}
    found = []
    for folder in sorted(folders):
        one = read(folder)
        if one is None:
            tell(f"{folder}: its record is of another version and tells no settings; left out")
        else:
            found.append(one)
    return found


def read_asked(
    path: Path, name: str, kinds: tuple[type[Run], type[Asked]], again: str
) -> tuple[tuple[Run, ...], Asked] | None:
    """The runs of a record, and what was asked of them; None where another version wrote it.

    Args:
        path: of the record.
        name: of what was asked, in the record.
        kinds: what runs and what was asked are read as.
        again: what to do about a damaged record.

    Raises:
        UserError: it is damaged.
    """
    record = read_record(path, again)
    try:
        run, kind = kinds
        asked = kind.model_validate(record.get(name))
        specs = tuple(run.model_validate_json(json.dumps(one)) for one in record["specs"])
    except (ValidationError, KeyError, TypeError):
        return None
    return specs, asked


def read_rows(path: Path, layout: Layout, runs: int) -> pd.DataFrame:
    """The table beside a record of so many runs.

    Raises:
        UserError: it is damaged.
    """
    table = read_table(path)
    missing = [name for name in (*layout.texts, *layout.numbers) if name not in table.columns]
    if missing:
        raise UserError(f"{path} lacks {', '.join(missing)}; restore it or {layout.again}.")
    read = {name: names_of(list(map(str, table[name])), name, str(path)) for name in layout.texts}
    numbers = {
        name: numbers_of(list(map(str, table[name])), name, str(path)) for name in layout.numbers
    }
    for name, value in numbers.items():
        if name not in layout.optional and np.isnan(value).any():
            raise UserError(f"{path} has no {name} in some rows; restore it or {layout.again}.")
    if ((numbers["spec"] < 0) | (numbers["spec"] >= runs)).any():
        raise UserError(f"{path} counts {runs} runs wrongly; restore it or {layout.again}.")
    return pd.DataFrame({**read, **numbers})
