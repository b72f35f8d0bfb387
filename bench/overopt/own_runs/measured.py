"""Runs that were read or measured, with all that is said of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from overopt.own_runs.kl_column import KLColumn
from overopt.stats.runs.analysis import RunsReport


@dataclass(frozen=True)
class MeasuredRuns:
    """What ``bench measure`` found out.

    Attributes:
        report: gains, fits, turn and gap.
        kl: which KL the axis is.
        names: one name per run, as people know it.
        proxy: what the proxy is called.
        gold: what gold is called, or None.
        notes: choices made on the user's behalf, one sentence each.
        advised_steps: checkpoints to score with gold where there is none.
        candidates: columns of mean rewards that may be gold.
        proxy_rows, gold_rows: per run, the rewards as they were, NaN where missing.
        measures: of checkpoints, all that was measured on each; empty for logs.
        written: files that were written.
    """

    report: RunsReport
    kl: KLColumn
    names: tuple[str, ...]
    proxy: str
    gold: str | None
    notes: tuple[str, ...]
    advised_steps: tuple[int, ...]
    candidates: tuple[str, ...]
    proxy_rows: tuple[tuple[float, ...], ...]
    gold_rows: tuple[tuple[float, ...], ...]
    measures: tuple[Mapping[str, Any], ...] = ()
    written: tuple[Path, ...] = ()

    @property
    def verdict(self) -> str:
        """Whether the run overoptimizes, in one or two sentences."""
        from overopt.own_runs.verdict import tell

        return tell(self)
