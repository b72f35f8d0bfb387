"""``bench measure``: somebody else's training run, from its log or from its checkpoints."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from overopt.commands.measure_options import Measure
from overopt.errors import UserError
from overopt.own_runs.measured import MeasuredRuns
from overopt.own_runs.text import curve_table, describe
from overopt.own_scores.text import printable


def measure(asked: Measure, store: Path | None, workers: int | None) -> int:
    """Measure a log or checkpoints, write where a folder is given, and print."""
    logs = asked.logs or []
    if asked.policy is not None:
        raise UserError("--policy: not there yet")
    if not logs:
        raise UserError(
            "Which run? Give a log (bench measure trainer_state.json), or checkpoints with --policy"
            ", --reference, --proxy, --gold and --prompts."
        )
    from overopt.own_runs.logs import measure as measure_logs

    return show(
        measure_logs(
            *logs,
            kl=asked.kl,
            proxy=asked.proxy,
            gold=asked.gold,
            step=asked.step,
            length=asked.length,
            kl_estimator=asked.kl_estimator,
            proxy_sd=asked.proxy_sd,
            gold_sd=asked.gold_sd,
            out=asked.out,
        )
    )


def show(measured: MeasuredRuns) -> int:
    """Print what was found out; what is written was written before."""
    console = Console(highlight=False)
    for index in range(len(measured.names)):
        console.print(curve_table(measured, index))
    for line in describe(measured):
        console.print(printable(line), markup=False, soft_wrap=True)
    console.print()
    for note in measured.notes:
        console.print(f"note: {printable(note)}", markup=False, soft_wrap=True)
    for path in measured.written:
        console.print(f"{path}", soft_wrap=True, markup=False)
    return 0
