"""The admission ledger: one row per task and world, as a table and as a page."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from overopt.leaderboard.admission.checks import Check, Gain, Measured, Verdict, judge
from overopt.leaderboard.published import compare_csv, compare_text
from overopt.report.tables.text import show_number

NO_RESULT = "not admitted: no result; nobody has run this task against the controls"

_GAINS = ("peak", "fall", "gold", "proxy", "random", "longest", "constant_gold")
_PLAIN = ("kl_nats", "peak_kl_nats", "end_kl_nats", "longest_kl_nats", "constant_kl_nats")


class Row(NamedTuple):
    """One line of the ledger.

    Attributes:
        task: its name.
        verdict: of it.
        found: what was measured; None where nothing was run.
        checks: behind the verdict.
    """

    task: str
    verdict: Verdict
    found: Measured | None
    checks: tuple[Check, ...]

    @property
    def scope(self) -> str:
        """Whether it is about the task or about one of its worlds."""
        return "world" if self.found is not None and not self.found.whole else "task"

    @property
    def reason(self) -> str:
        """The checks that do not hold, or that there is no result."""
        if self.found is None:
            return NO_RESULT
        missed = [f"{one.name}: {one.reason}" for one in self.checks if one.outcome != "holds"]
        return "; ".join(missed) or "all checks hold"


def make_ledger(tasks: Iterable[str], found: Sequence[Measured]) -> list[Row]:
    """Every task, those without a result too; a task's row over all worlds comes first."""
    rows = []
    for task in tasks:
        mine = [one for one in found if one.task == task]
        rows += [Row(task, *_judged(one)) for one in mine]
        if not mine:
            rows.append(Row(task, "NO RESULT", None, ()))
    return rows


def _judged(one: Measured) -> tuple[Verdict, Measured, tuple[Check, ...]]:
    verdict, checks = judge(one)
    return verdict, one, checks


def ledger_table(rows: Sequence[Row]) -> pd.DataFrame:
    """The ledger in tidy form, numbers with six significant digits; an empty cell is missing."""
    return pd.DataFrame([_record(row) for row in rows])


def _record(row: Row) -> dict[str, object]:
    one = row.found
    record: dict[str, object] = {
        "task": row.task,
        "of": row.scope,
        "worlds": " ".join(map(str, one.worlds)) if one else "",
        "seeds": str(one.seeds) if one else "",
        "method": one.method if one else "",
        "verdict": row.verdict,
    }
    for name in _PLAIN:
        record[name] = _six(getattr(one, name)) if one else None
    for name in _GAINS:
        gain: Gain = getattr(one, name) if one else Gain(math.nan, math.nan, math.nan)
        for part, value in zip(("", "_low", "_high"), gain, strict=True):
            record[f"{name}{part}"] = _six(value)
    for name in ("gold_proxy", "proxy_random", "gold_longest"):
        apart = getattr(one, name) if one else None
        for part in ("mean", "p", "sees"):
            record[f"{name}_{part}"] = _six(getattr(apart, part)) if apart else None
    return record | {"reason": row.reason}


def _six(value: float) -> float | None:
    return None if value != value else float(f"{value:.6g}")


def make_page(rows: Sequence[Row]) -> str:
    """``admission.md``."""
    lines = [
        "# Which tasks can carry a ranking",
        "",
        "Made by `bench admit --publish` from the run folders in "
        "`results/admission/`; do not edit it by "
        "hand. All numbers are in `results/admission.csv`.",
        "",
        "A rank means nothing where gold does not measure what it should, or where the design "
        "cannot tell. Every shipped task is run against a learned proxy and four controls: gold "
        "itself (`control-gold`), the longest response (`control-longest`), a random number for "
        "every response (`control-random`) and a constant (`control-constant`). Rewards are "
        "compared at 1 nat, or nearer where one does not get there, which was fixed beforehand.",
        "",
        "- **DEGENERATE**: a control is out of order. Gold does not rise where it is itself the "
        "reward, a random reward moves it by more than a tenth of what gold itself gains, a "
        "constant one raises it, or gold is not shown to be more than length.",
        "- **FAIL**: the controls are in order, but the proxy is not shown to lie between random "
        "and gold, gold is not shown to rise or to fall, or the design is too small: it must see "
        "half of what gold itself gains, with 80 % power, in at least 3 worlds with 5 seeds each.",
        "- **PASS**: all checks hold.",
        "- **NO RESULT**: nobody has run it; nothing is admitted.",
        "",
        "A verdict over all worlds is about any world of the kind; those of single worlds have "
        "intervals over seeds and prompts. Failures stay in the ledger. A task that fails over "
        "worlds can still be used to compare methods: what it cannot carry is a claim that gold "
        "rises or falls there.",
        "",
        "| task | of | worlds | seeds | verdict | gold itself | proxy | random | longest | peak |"
        " fall | what does not hold |",
        f"|{' --- |' * 5}{' ---: |' * 6} --- |",
    ]
    for row in rows:
        one = row.found
        cells = [row.task, row.scope, "–", "–", f"**{row.verdict}**", *(["–"] * 6)]
        if one is not None:
            cells[2:4] = [" ".join(map(str, one.worlds)), str(one.seeds)]
            gains = (one.gold, one.proxy, one.random, one.longest, one.peak, one.fall)
            cells[5:] = [_show(gain) for gain in gains]
        lines.append(f"| {' | '.join([*cells, row.reason])} |")
    return "\n".join(lines) + "\n"


def compare_ledger(rows: Sequence[Row], table: Path, page: Path) -> list[str]:
    """What differs between the committed ledger and this one, in sentences."""
    again = "bench admit --publish"
    return [
        *compare_csv(ledger_table(rows), table, again),
        *compare_text(make_page(rows), page),
    ]


def _show(gain: Gain) -> str:
    middle = show_number(gain.mean, 2)
    if gain.low != gain.low:
        return middle
    return f"{middle} [{show_number(gain.low, 2)}, {show_number(gain.high, 2)}]"
