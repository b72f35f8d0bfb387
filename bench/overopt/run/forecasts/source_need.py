"""One model or table that a run takes from outside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class SourceNeed:
    """One model or table of a plan.

    state: ``here``, ``to download`` or ``missing offline``. size_gb: on disk or to download, None
    where nobody has said. parameters: of a model, None where unknown. note: what bench run would
    refuse.
    """

    role: str
    name: str
    revision: str
    license: str
    state: str
    size_gb: float | None
    is_model: bool
    parameters: float | None
    note: str


def download_gb(needed: Sequence[SourceNeed]) -> float:
    """What is known to be downloaded."""
    return sum(one.size_gb or 0.0 for one in needed if one.state != "here")
