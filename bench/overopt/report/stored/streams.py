"""Best-of-n beyond the pool, as ``bench extrapolate`` stored it: what was asked for, and curves."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from overopt.report.stored.asked_for import Layout, find_folders, read_asked, read_rows
from overopt.spec.run import RunSpec
from overopt.spec.stream import StreamSpec

RECORD, CURVES = "streams.json", "best_of_n.csv"
_LAYOUT = Layout(
    texts=("proxy", "noise", "proxy_start"),
    numbers=("spec", "world", "proxy_width", "comparisons", "seed", "n", "kl_nats", "kl_bound_nats",
             "gold_gain", "gold_gain_se", "proxy_gain"),
    optional=("proxy_width", "gold_gain_se"),
    again="draw it again",
)  # fmt: skip


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
    return find_folders(places, RECORD, _read, tell)


def _read(folder: Path) -> StoredStreams | None:
    asked = read_asked(folder / RECORD, "stream", (RunSpec, StreamSpec), _LAYOUT.again)
    if asked is None:
        return None
    specs, stream = asked
    return StoredStreams(folder, specs, stream, read_rows(folder / CURVES, _LAYOUT, len(specs)))
