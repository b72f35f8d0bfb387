"""Which KL a column of a log is: its estimator, whether per token or response, and its sign."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import numpy as np

from overopt.errors import UserError
from overopt.own_runs.log_rows import Row
from overopt.own_runs.names import KL_NAMES, KLColumn, Per, bare
from overopt.stats.arrays import Bools, Floats, Ints

GIVEN = ("k1", "k2", "k3", "rb", "exact")
NOISE_SHARE = 0.05
"""A negative mean of k1 is noise around 0 where it is at most this share of the largest KL."""


def identify(file: Path, name: str, rows: Sequence[Row], given: str | None) -> KLColumn:
    """What a column's name, the log itself or the user says about a KL.

    Args:
        file: the log.
        name: the column.
        rows: its rows, which may name the estimator in a column ``kl_estimator``.
        given: what the user says, such as ``k3`` or ``k3/token``.

    Raises:
        UserError: if the user's word is not known, or the log names several estimators.
    """
    known = KL_NAMES.get(bare(name))
    per: Per = known.per if known is not None else "unknown"
    if given is not None:
        word, slash, said = given.partition("/")
        if word not in GIVEN or (slash and said not in get_args(Per)[:2]):
            raise UserError(
                f"--kl-estimator {given}: give one of {', '.join(GIVEN)}, with /token or "
                "/response behind it where the log does not tell, such as k3/token"
            )
        told: Per = "token" if said == "token" else "response"
        return KLColumn(name, word, told if slash else per, False, "--kl-estimator")
    own = {str(row["kl_estimator"]) for row in rows if row.get("kl_estimator")}
    if len(own) > 1 or (own and not own <= set(GIVEN)):
        raise UserError(
            f"{file}: column 'kl_estimator' must hold one of {', '.join(GIVEN)} throughout; give "
            "the estimator with --kl-estimator"
        )
    if own and known is not None and known.per == "response":
        return KLColumn(name, own.pop(), "response", False, "the log's column kl_estimator")
    if known is None:
        return KLColumn(name, "", per, False, "nothing: the name is not a trainer's")
    return KLColumn(name, known.estimator, per, False, known.source)


def lacks_length(kl_K: Floats, length_K: Floats) -> Bools:
    """Rows whose KL per token cannot become one per response; a KL of 0 is 0 at any length.

    None where no row that needs a length has one: then the log has no lengths at all.
    """
    needs_K: Bools = kl_K != 0.0
    lacks_K: Bools = needs_K & np.isnan(length_K)
    return np.zeros_like(lacks_K) if np.array_equal(lacks_K, needs_K) else lacks_K


def to_nats(
    file: Path,
    step_K: Ints,
    kl_K: Floats,
    column: KLColumn,
    length: str | None,
    length_K: Floats,
    notes: list[str],
) -> tuple[Floats, KLColumn]:
    """KL per response where that can be had, never negative.

    A mean over tokens times the mean length is the mean over responses of the sum over tokens,
    where both means are of the same samples with every token weighing the same. Where a trainer
    averages steps between two rows of its log, it is that up to their covariance.

    Args:
        file: the log.
        step_K: steps.
        kl_K: KL as logged.
        column: what it is.
        length: column of the mean length in tokens, or None.
        length_K: the lengths, NaN where they are missing.
        notes: receives what was done.

    Raises:
        UserError: if a length is not above 0, or KL is negative beyond noise or never leaves 0.
    """
    if (length_K <= 0.0).any():
        at = int(np.argmax(length_K <= 0.0))
        raise UserError(
            f"{file}: column {length!r} is {length_K[at]:.4g} at step {step_K[at]}, a mean length "
            "in tokens is above 0; correct it, or name another column with --length"
        )
    negative_K = kl_K < 0
    if negative_K.any() and not column.estimator:
        column = column._replace(
            estimator="k1", told_by=f"{column.told_by}; below 0 at times, so it is k1"
        )
    moved_K = kl_K != 0.0
    if column.per == "token" and length is not None and not np.isnan(length_K[moved_K]).any():
        kl_K = np.where(moved_K, kl_K * length_K, 0.0)
        column = column._replace(per="response", from_tokens=True)
        notes.append(f"KL per response: {column.name} times {length}, the mean length in tokens")
    elif column.per == "token":
        notes.append(
            "the log has no mean length in tokens, so KL stays per token; name it with --length"
        )
    largest = float(kl_K.max())
    allowed = NOISE_SHARE * max(largest, 0.0) if column.estimator in ("k1", "") else 0.0
    if float(kl_K.min()) < -max(allowed, 1e-6 * max(largest, 0.0)):
        at = int(np.argmin(kl_K))
        why = (
            f"more than noise around 0 explains ({100 * NOISE_SHARE:g} % of the largest)"
            if column.estimator == "k1"
            else f"and {column.estimator or 'a KL'} is never below 0"
        )
        raise UserError(
            f"{file}: KL {column.name!r} is {kl_K[at]:.4g} at step {step_K[at]}, {why}: it is no "
            "KL from the reference, has its sign flipped, or is too noisy to place a policy; "
            "choose another column with --kl, or measure checkpoints with --policy"
        )
    if largest <= 0.0:
        raise UserError(
            f"{file}: KL {column.name!r} is 0 throughout, so the policy never moved or its KL was "
            "not computed (beta = 0 in TRL); measure checkpoints with --policy"
        )
    if negative_K.any():
        notes.append(f"{int(negative_K.sum())} KL below 0 within noise count as 0")
    return np.maximum(kl_K, 0.0), column
