"""A training log read into steps, KL and rewards: which column is taken for what, and which KL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

import numpy as np

from overopt.errors import UserError
from overopt.own_runs.kl_column import identify, lacks_length, to_nats
from overopt.own_runs.log_rows import Row, read_rows
from overopt.own_runs.names import (
    ENTROPY,
    GOLD_NAMES,
    IMPLICIT,
    KL_NAMES,
    LENGTH_NAMES,
    PENALIZED,
    PROXY_NAMES,
    STEP_NAMES,
    UPDATE_KL,
    KLColumn,
    bare,
    find_name,
)
from overopt.own_runs.numbers import Number, Numbers
from overopt.own_scores.words import count
from overopt.stats.arrays import Floats
from overopt.stats.runs.gains import RunPoints


@dataclass(frozen=True)
class Columns:
    """The names that the user gave; None where they are to be found.

    Attributes:
        step: training step.
        kl: KL from the reference.
        proxy: proxy reward.
        gold: gold reward.
        length: mean tokens of a response, which turns a KL per token into one per response.
        kl_estimator: what kind of KL it is, such as ``k3`` or ``k3/token``.
    """

    step: str | None = None
    kl: str | None = None
    proxy: str | None = None
    gold: str | None = None
    length: str | None = None
    kl_estimator: str | None = None


@dataclass(frozen=True)
class RunLog:
    """One log as read.

    Attributes:
        path: the file.
        points: its rows; KL is in nats per response wherever ``kl.per`` says so.
        kl: which KL it is.
        proxy: column of the proxy.
        gold: column of gold, or None.
        proxy_sd: standard deviation of the proxy under the initial policy, where the log has it.
        gold_sd: of gold, likewise.
        saved_every: steps between checkpoints, where the log says so.
        candidates: other columns of mean rewards, one of which may be gold.
        notes: choices made on the user's behalf, one sentence each.
        length_K, entropy_K: mean tokens and entropy (nats) of responses, NaN where not logged.
    """

    path: Path
    points: RunPoints
    kl: KLColumn
    proxy: str
    gold: str | None
    proxy_sd: float | None
    gold_sd: float | None
    saved_every: int | None
    candidates: tuple[str, ...]
    notes: tuple[str, ...]
    length_K: Floats
    entropy_K: Floats


def read_log(path: Path, columns: Columns) -> RunLog:
    """Read a log and decide what its columns are.

    Raises:
        UserError: one sentence on the first thing that is wrong: a file that cannot be read, a
            column that is missing, a value that is no finite number, a step that occurs twice, a
            KL that is negative beyond noise.
    """
    file, rows, saved_every = read_rows(path)
    names = list(dict.fromkeys(name for row in rows for name in row))
    notes: list[str] = []
    step = _choose(file, names, columns.step, STEP_NAMES, "step")
    kl_name = _choose_kl(file, names, columns.kl)
    proxy = _choose_proxy(file, names, columns.proxy, notes)
    gold = _choose_gold(file, names, columns.gold, {step, kl_name, proxy})
    length = columns.length or find_name(names, LENGTH_NAMES)
    if columns.length is not None:
        _require(file, names, columns.length, "--length")
    entropy = ENTROPY if ENTROPY in names else None
    asked = (kl_name, proxy, gold, length, entropy)
    taken = [name for name in asked if name]
    numbers = Numbers(file, rows, step, taken)
    kept = [at for at in numbers.steps if kl_name in numbers.of(at) and proxy in numbers.of(at)]
    if not kept:
        raise UserError(
            f"{file}: no step has both {kl_name!r} and {proxy!r}; log both at the same steps, or "
            "choose other columns with --kl and --proxy"
        )
    if left := len(numbers.steps) - len(kept):
        notes.append(f"{left} steps without KL or proxy were left out")
    found = identify(file, kl_name, rows, columns.kl_estimator)
    kl_K = numbers.column(kept, kl_name)
    length_K = numbers.column(kept, length) if length else np.full(len(kept), np.nan)
    if found.per == "token" and (lacks_K := lacks_length(kl_K, length_K)).any():
        notes.append(
            f"{count(int(lacks_K.sum()), 'step')} without {length} left out: it turns a KL per "
            "token into one per response"
        )
        kept = [at for at, lacks in zip(kept, lacks_K.tolist(), strict=True) if not lacks]
        kl_K, length_K = kl_K[~lacks_K], length_K[~lacks_K]
    kl_K, found = to_nats(file, np.array(kept), kl_K, found, length, length_K, notes)
    gold_K = numbers.column(kept, gold) if gold else np.full(len(kept), np.nan)
    if gold and np.isnan(gold_K).all():
        raise UserError(
            f"{file}: column {gold!r} has no number at a step with KL and proxy; log gold at such "
            "steps, or choose another column with --gold"
        )
    points = RunPoints(
        np.array(kept, np.int64), kl_K, numbers.column(kept, proxy), np.asarray(gold_K, np.float64)
    )
    return RunLog(
        path=file,
        points=points,
        kl=found,
        proxy=proxy,
        gold=gold,
        proxy_sd=_first_sd(file, rows, "proxy_sd"),
        gold_sd=_first_sd(file, rows, "gold_sd"),
        saved_every=saved_every,
        candidates=_candidates(names, proxy),
        notes=tuple(notes),
        length_K=length_K,
        entropy_K=numbers.column(kept, entropy) if entropy else np.full(len(kept), np.nan),
    )


def _candidates(names: Sequence[str], proxy: str) -> tuple[str, ...]:
    """TRL's means of single rewards; where there is one only, it is the proxy itself."""
    found = [name for name in names if bare(name).startswith("rewards/") and name.endswith("/mean")]
    return tuple(name for name in found if name != proxy) if len(found) > 1 else ()


def _choose(
    file: Path, names: Sequence[str], asked: str | None, known: Sequence[str], role: str
) -> str:
    if asked is not None:
        return _require(file, names, asked, f"--{role}")
    found = find_name(names, known)
    if found is None:
        raise UserError(
            f"{file}: no column is known as the {role} (known: {', '.join(known)}); name it with "
            f"--{role}, available: {_list(names)}"
        )
    return found


def _choose_kl(file: Path, names: Sequence[str], asked: str | None) -> str:
    if asked is not None:
        _require(file, names, asked, "--kl")
        if bare(asked) in UPDATE_KL:
            raise UserError(
                f"{file}: {asked!r} is the distance between two consecutive policies, not the KL "
                "from the reference; log that one, or measure checkpoints with --policy"
            )
        return asked
    found = find_name(names, KL_NAMES)
    implicit = find_name(names, IMPLICIT) is not None
    if found is not None and bare(found) == "kl" and implicit:
        raise UserError(
            f"{file}: {found!r} beside {IMPLICIT[0]!r} is TRL's KTO baseline on mismatched pairs, "
            "not the KL of the policy's own samples; measure its checkpoints with --policy, or "
            "log with OveroptCallback"
        )
    if found is None and implicit:
        raise UserError(
            f"{file}: there is no KL in this log, as trainers on pairs (such as TRL's DPO) log "
            "none; measure its checkpoints with --policy, or log with OveroptCallback"
        )
    updates = [name for name in names if bare(name) in UPDATE_KL]
    if found is None and updates:
        raise UserError(
            f"{file}: {updates[0]!r} is the distance between two consecutive policies and there "
            "is no KL from the reference; turn on the KL penalty or its logging, or measure "
            "checkpoints with --policy"
        )
    return found or _choose(file, names, None, tuple(KL_NAMES), "kl")


def _choose_proxy(file: Path, names: Sequence[str], asked: str | None, notes: list[str]) -> str:
    proxy = _choose(file, names, asked, PROXY_NAMES, "proxy")
    better = PENALIZED.get(bare(proxy))
    if better is not None:
        notes.append(
            f"{proxy} has the KL penalty taken off; {better} would be the proxy's own reward"
        )
    return proxy


def _choose_gold(
    file: Path, names: Sequence[str], asked: str | None, taken: set[str]
) -> str | None:
    if asked is None:
        return find_name([name for name in names if name not in taken], GOLD_NAMES)
    _require(file, names, asked, "--gold")
    if asked in taken:
        raise UserError(
            f"{file}: column {asked!r} cannot be both gold and something else; name two columns"
        )
    return asked


def _require(file: Path, names: Sequence[str], column: str, option: str) -> str:
    if column in names:
        return column
    close = get_close_matches(column, names, n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    raise UserError(
        f"{file}: there is no column {column!r}; {hint}available: {_list(names)}; choose one with "
        f"{option}"
    )


def _list(names: Sequence[str]) -> str:
    clean = (repr(name)[1:-1][:40] for name in names[:20])  # no letter that steers a terminal
    shown = ", ".join(clean)
    return shown if len(names) <= 20 else f"{shown} and {len(names) - 20} more"


def _first_sd(file: Path, rows: Sequence[Row], name: str) -> float | None:
    """The first standard deviation that the log has under a name of our own."""
    for row in rows:
        if row.get(name) not in (None, ""):
            value = Number(file, name, None).read(row[name])
            if value is not None and value > 0:
                return value
            raise UserError(
                f"{file}: column {name!r} holds {value}, a standard deviation is above 0; leave "
                "the column out where it is not known"
            )
    return None
