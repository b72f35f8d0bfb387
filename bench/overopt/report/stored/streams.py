"""Best-of-n beyond the pool, as ``bench extrapolate`` stored it: what was asked for, and curves."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from pydantic import ValidationError

from overopt.errors import UserError
from overopt.report.stored.files import names_of, numbers_of, read_json, read_table
from overopt.spec.documents import check_format
from overopt.spec.run import RunSpec
from overopt.spec.stream import StreamSpec

RECORD, CURVES = "streams.json", "best_of_n.csv"
_TEXT = ("proxy", "noise", "proxy_start")
_OPTIONAL = ("proxy_width", "gold_gain_se")
_NUMBERS = ("spec", "world", "proxy_width", "comparisons", "seed", "n", "kl_nats", "kl_bound_nats",
            "gold_gain", "gold_gain_se", "proxy_gain")  # fmt: skip


@dataclass(frozen=True)
class StoredStreams:
    """One folder of ``bench extrapolate``.

    Attributes:
        folder: the folder.
        specs: runs whose cells were drawn; the column ``spec`` counts them from 0.
        stream: how much was drawn.
        curves: a row for each cell and n.
    """

    folder: Path
    specs: tuple[RunSpec, ...]
    stream: StreamSpec
    curves: pd.DataFrame


def find_streams(
    places: Iterable[Path], tell: Callable[[str], None] = lambda words: None
) -> list[StoredStreams]:
    """Every such folder at or below some places, in the order of their names.

    Args:
        places: folders.
        tell: told of folders that were left out because another version wrote them.

    Raises:
        UserError: one is damaged.
    """
    folders = {file.parent.resolve() for place in places for file in place.rglob(RECORD)}
    found = []
    for folder in sorted(folders):
        one = _read(folder)
        if one is None:
            tell(f"{folder}: its record is of another version and tells no settings; left out")
        else:
            found.append(one)
    return found


def _read(folder: Path) -> StoredStreams | None:
    record = read_json(folder / RECORD)
    if not isinstance(record, dict):
        raise UserError(f"{folder / RECORD} is no JSON object; restore it or draw it again.")
    try:
        check_format(record)
    except ValueError as error:
        raise UserError(f"{folder / RECORD}: {error}") from error
    try:
        stream = StreamSpec.model_validate(record.get("stream"))
        specs = tuple(RunSpec.model_validate_json(json.dumps(one)) for one in record["specs"])
    except (ValidationError, KeyError, TypeError):
        return None
    path = folder / CURVES
    table = read_table(path)
    missing = [name for name in (*_TEXT, *_NUMBERS) if name not in table.columns]
    if missing:
        raise UserError(f"{path} lacks {', '.join(missing)}; draw it again.")
    read = {name: names_of(list(map(str, table[name])), name, str(path)) for name in _TEXT}
    numbers = {name: numbers_of(list(map(str, table[name])), name, str(path)) for name in _NUMBERS}
    for name, value in numbers.items():
        if name not in _OPTIONAL and np.isnan(value).any():
            raise UserError(f"{path} has no {name} in some rows; restore it or draw it again.")
    if ((numbers["spec"] < 0) | (numbers["spec"] >= len(specs))).any():
        raise UserError(f"{path} counts {len(specs)} runs wrongly; restore it or draw it again.")
    return StoredStreams(folder, specs, stream, pd.DataFrame({**read, **numbers}))
