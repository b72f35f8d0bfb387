"""``bench measure``: somebody else's training run, from its log or from its checkpoints."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from overopt.commands.options.measure import Measure
from overopt.commands.printing import open_console
from overopt.errors import UserError, printable
from overopt.own_runs.earlier import refuse_run
from overopt.own_runs.logs import LogRequest, measure_logs
from overopt.own_runs.measured import MeasuredRuns
from overopt.own_runs.run_log import Columns
from overopt.own_runs.text import curve_table, describe, measures_table
from overopt.own_runs.watching.lines import monitor_lines
from overopt.own_runs.watching.verdicts import judge, open_monitors


def measure(asked: Measure, store: Path | None, workers: int, chosen: bool) -> int:
    """Measure a log or checkpoints, write where a folder is given, and print.

    Args:
        asked: what.
        store: where finished checkpoints are kept.
        workers: worker processes.
        chosen: whether the user gave their number.
    """
    logs = asked.logs or []
    if asked.out is not None:
        refuse_run(asked.out)  # before checkpoints are sampled
    if asked.policy:
        return _measure_checkpoints(asked, store, workers, chosen)
    if not logs:
        raise UserError(
            "Which run? Give a log (bench measure trainer_state.json), or checkpoints with --policy"
            ", --reference, --proxy, --gold and --prompts."
        )
    columns = Columns(
        asked.step, asked.kl, asked.proxy, asked.gold, asked.length, asked.kl_estimator
    )
    measured = measure_logs(LogRequest(logs, columns, asked.proxy_sd, asked.gold_sd))
    return show(_monitored(measured, asked), asked.out)


def _monitored(measured: MeasuredRuns, asked: Measure) -> MeasuredRuns:
    """The runs with what monitors say of them."""
    opened = open_monitors(asked.monitor or [])
    judged = tuple(
        judge(opened, looks, run.starts_at_initial)
        for looks, run in zip(measured.looks, measured.report.runs, strict=True)
    )
    return replace(measured, monitors=judged)


def _measure_checkpoints(asked: Measure, store: Path | None, workers: int, chosen: bool) -> int:
    """Sample and score every checkpoint, with progress on the way."""
    if asked.logs:
        raise UserError("Give a log, or checkpoints with --policy, not both.")
    for option, given in (
        ("--reference", asked.reference),
        ("--proxy", asked.proxy),
        ("--prompts", asked.prompts),
    ):
        if given is None:
            raise UserError(f"--policy needs {option} as well: see bench measure --help.")
    assert asked.policy and asked.reference and asked.proxy and asked.prompts
    from overopt.commands.screen import Screen
    from overopt.execution.executors.local import ProcessExecutor
    from overopt.execution.store import open_store
    from overopt.own_runs.checkpoint_plan import plan
    from overopt.own_runs.checkpoint_request import CheckpointRequest
    from overopt.own_runs.checkpoints import measure_checkpoints

    wanted = CheckpointRequest(
        policies=tuple(asked.policy),
        reference=asked.reference,
        proxy=asked.proxy,
        gold=asked.gold,
        prompts=asked.prompts,
        samples=asked.samples,
        max_new_tokens=asked.max_new_tokens,
        template=asked.template,
        reward_template=asked.reward_template,
        seed=asked.seed,
        dtype=asked.dtype,
    )
    planned, kept = plan(wanted), open_store(store)
    count = 1 if planned.runs_alone and not chosen else workers
    screens = Screen(open_console(stderr=True), False, count)
    with ProcessExecutor(kept, count) as executor, screens as screen:
        measured = measure_checkpoints(wanted, planned, kept, executor, screen)
    measured = _monitored(measured, asked)
    from overopt.own_runs.run_folder import run_files

    return show(measured, asked.out, run_files(measured, wanted, planned, sys.argv))


def show(
    measured: MeasuredRuns, out: Path | None, run_files: Mapping[str, str | bytes] | None = None
) -> int:
    """Write where a folder is given, then print, so that a failure to write is all one hears of.

    The last line says what to open, or which command goes on from the folder.
    """
    written: tuple[Path, ...] = ()
    if out is not None:
        from overopt.own_runs.folder import write_folder

        written = write_folder(out, measured, run_files)
    console = open_console()
    for index in range(len(measured.names)):
        console.print(curve_table(measured, index))
    if measured.measures:
        console.print(measures_table(measured))
    for line in describe(measured):
        console.print(printable(line), soft_wrap=True)
    for line in monitor_lines(measured):
        console.print(printable(line), soft_wrap=True)
    console.print()
    for note in measured.notes:
        console.print(f"note: {printable(note)}", soft_wrap=True)
    for path in written:
        console.print(f"{path}", soft_wrap=True)
    if out is None:
        return 0
    if run_files:
        console.print(f"bench report {shlex.quote(str(out))}", soft_wrap=True)
    else:
        figure = next(path for path in written if path.suffix == ".png")
        console.print(f"Open {figure}", soft_wrap=True)
    return 0
