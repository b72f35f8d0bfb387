"""Logs measured, from the command line and from Python."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from overopt.errors import UserError
from overopt.monitors.contract import Look
from overopt.own_runs.advice import steps_to_score
from overopt.own_runs.measured import MeasuredRuns
from overopt.own_runs.names import KLColumn
from overopt.own_runs.run_log import Columns, RunLog, read_log
from overopt.stats.arrays import Floats
from overopt.stats.runs.analysis import analyze_runs
from overopt.stats.runs.gains import RunGains, Units

LOOKS_MOST = 50
"""Looks that monitors have at a log beyond its first row."""


@dataclass(frozen=True)
class LogRequest:
    """Which logs are measured, and how they are read.

    Attributes:
        logs: files or folders; several are seeds of the same training.
        columns: columns, where their names are not a trainer's.
        proxy_sd, gold_sd: standard deviations under the initial policy; None for those that the
            first log has.
    """

    logs: Sequence[Path]
    columns: Columns
    proxy_sd: float | None = None
    gold_sd: float | None = None


def measure_logs(asked: LogRequest) -> MeasuredRuns:
    """Read training logs and say what there is to say of them.

    Raises:
        UserError: one sentence on the first thing that is wrong.
    """
    if not asked.logs:
        raise UserError("there is no log; give a .csv, .jsonl or trainer_state.json file")
    paths = list(asked.logs)
    twice = next((path for i, path in enumerate(paths) if path in paths[:i]), None)
    if twice is not None:
        raise UserError(f"{twice} is given twice; give every seed once")
    for option, sd in (("--proxy-sd", asked.proxy_sd), ("--gold-sd", asked.gold_sd)):
        if sd is not None and not (math.isfinite(sd) and sd > 0):
            raise UserError(f"{option} {sd}: a standard deviation is a number above 0")
    read = [read_log(path, asked.columns) for path in paths]
    _check_alike(read)
    kl = _kl_of(read)
    units = Units(asked.proxy_sd or read[0].proxy_sd, asked.gold_sd or read[0].gold_sd)
    report = analyze_runs([one.points for one in read], units)
    advised: list[int] = []
    if not report.has_gold:
        advised = steps_to_score(report.runs[0], read[0].saved_every)
    return MeasuredRuns(
        report=report,
        kl=kl,
        names=_names([one.path for one in read]),
        proxy=read[0].proxy,
        gold=next((one.gold for one in read if one.gold), None),
        notes=tuple(dict.fromkeys(_with_taken(read, kl, report.runs))),
        advised_steps=tuple(advised),
        candidates=read[0].candidates,
        proxy_rows=tuple(tuple(one.points.proxy_K.tolist()) for one in read),
        gold_rows=tuple(tuple(one.points.gold_K.tolist()) for one in read),
        looks=tuple(_looks(one, run) for one, run in zip(read, report.runs, strict=True)),
    )


def _looks(log: RunLog, run: RunGains) -> tuple[Look, ...]:
    """A log as monitors see it: its first row, then means over rows that follow each other.

    Single rows of a log are noisy, and a monitor judges each look from all before it.
    """
    of_response = log.kl.per == "response"
    kl_K = run.kl_K if of_response else np.full(len(run.kl_K), np.nan)
    columns = np.stack([kl_K, log.length_K, log.entropy_K, run.proxy_K])
    rows = len(kl_K)
    later = np.arange(1, rows)
    parts = np.array_split(later, min(LOOKS_MOST, rows - 1)) if rows > 1 else []
    return tuple(
        Look(int(run.step_K[part_R[-1]]), *(_mean_of_known(row_R) for row_R in columns[:, part_R]))
        for part_R in (np.zeros(1, np.int64), *parts)
    )


def _mean_of_known(value_R: Floats) -> float | None:
    """Mean over the rows that have a value; None where none has."""
    known_R = value_R[~np.isnan(value_R)]
    return float(known_R.mean()) if known_R.size else None


def _check_alike(read: Sequence[RunLog]) -> None:
    """Seeds of one training have the same KL and the same rewards."""
    first = read[0]
    for one in read[1:]:
        for what, ours, theirs in (
            ("KL", first.kl.name, one.kl.name),
            ("unit of KL", first.kl.unit, one.kl.unit),
            ("proxy", first.proxy, one.proxy),
            ("gold", first.gold or one.gold, one.gold or first.gold),
        ):
            if ours != theirs:
                raise UserError(
                    f"{one.path}: its {what} is {theirs!r}, that of {first.path} is {ours!r}; "
                    "several logs are seeds of one training, so measure others apart"
                )


def _kl_of(read: Sequence[RunLog]) -> KLColumn:
    """The KL of all logs; a value below 0 in one of them gives the estimator of all away."""
    known = {one.kl.estimator: one.kl for one in read if one.kl.estimator}
    if len(known) > 1:
        raise UserError(
            f"{read[-1].path}: the logs have KL estimators {' and '.join(sorted(known))}; measure "
            "them apart, or give the one of all with --kl-estimator"
        )
    return next(iter(known.values()), read[0].kl)


def _names(paths: Sequence[Path]) -> tuple[str, ...]:
    """The files' names, with their folders where the names are the same."""
    short = [path.name for path in paths]
    return tuple(short if len(set(short)) == len(short) else [str(path) for path in paths])


def _with_taken(read: Sequence[RunLog], kl: KLColumn, runs: Sequence[RunGains]) -> list[str]:
    """What was taken for what, and what gains are over."""
    first = read[0]
    gold = next((one.gold for one in read if one.gold), "none")
    notes = [
        f"taken: KL {kl.name}, proxy {first.proxy}, gold {gold}",
        f"KL: {kl.shown}, {kl.unit}, told by {kl.told_by}",
        *(note for one in read for note in one.notes),
    ]
    pairs = list(zip(read, runs, strict=True))
    late = [one.path.name for one, run in pairs if not run.starts_at_initial]
    if late:
        notes.append(
            f"{', '.join(late)}: the first row is not near KL 0, so gains are over that row and "
            "not over the initial policy"
        )
    late_gold = [
        one.path.name
        for one, run in pairs
        if run.scored_K.any() and run.starts_at_initial and not run.gold_starts_at_initial
    ]
    if late_gold:
        notes.append(
            f"{', '.join(late_gold)}: gold begins away from KL 0, so its gains are over its first "
            "row and not over the initial policy"
        )
    return notes
