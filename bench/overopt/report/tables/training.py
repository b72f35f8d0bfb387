"""What training looked like from its first step to its last, a row per method, proxy and noise."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from overopt.report.stored.beside import RUN
from overopt.report.stored.methods import marked_methods
from overopt.report.stored.run import Run
from overopt.report.tables.text import MISSING, TextTable, show_number


def show_training(runs: Sequence[Run]) -> TextTable:
    """Steps, KL, reward, length and entropy at both ends, and the largest gradient norm.

    Args:
        runs: those that stored no trajectory are left out.
    """
    rows = []
    for run in runs:
        method = marked_methods(run.record, run.points["method"])
        for (proxy, noise), table in run.trajectory.groupby(["proxy", "noise"], sort=True):
            taken = [part.sort_values("step", kind="stable") for _, part in _runs(table)]
            steps = sorted(int(part["step"].max()) for part in taken)
            rows.append(
                (
                    method,
                    str(proxy),
                    str(noise),
                    str(len(taken)),
                    str(steps[0]) if steps[0] == steps[-1] else f"{steps[0]} to {steps[-1]}",
                    show_number(_mean([_last(part["kl_nats"]) for part in taken]), 2),
                    *(_ends(taken, name) for name in ("reward_mean", "length_mean")),
                    _ends(taken, "entropy_nats"),
                    show_number(table["gradient_norm"].max(), 2),
                )
            )
    return TextTable(
        name="training",
        title="Training from its first step to its last",
        header=(
            *("method", "proxy", "noise", "runs", "steps", "KL at the end"),
            *("reward", "length", "entropy", "largest gradient norm"),
        ),
        rows=tuple(sorted(rows)),
        words=3,
        note="Means over runs, first → last step at which each was seen. KL: the cheap estimate "
        "that steers a run, nats; reward of the proxy, SDs of the initial policy; length in "
        "tokens; entropy in nats per response. A dash: not seen by this family.",
    )


def _runs(table: pd.DataFrame) -> list[tuple[object, pd.DataFrame]]:
    return list(table.groupby(list(RUN), dropna=False, sort=False))


def _ends(taken: Sequence[pd.DataFrame], name: str) -> str:
    first = _mean([_first(part[name]) for part in taken])
    last = _mean([_last(part[name]) for part in taken])
    return MISSING if first is None else f"{show_number(first, 2)} → {show_number(last, 2)}"


def _first(values: pd.Series[float]) -> float | None:
    seen = values.dropna()
    return float(seen.iloc[0]) if len(seen) else None


def _last(values: pd.Series[float]) -> float | None:
    seen = values.dropna()
    return float(seen.iloc[-1]) if len(seen) else None


def _mean(values: Sequence[float | None]) -> float | None:
    """The mean over runs; None where some run has none."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known and len(known) == len(values) else None
