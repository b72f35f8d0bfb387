"""``bench measure``: somebody else's training run, from its log or from its checkpoints."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from overopt.commands.arguments import check_folder, count_workers
from overopt.commands.measure_options import Measure
from overopt.errors import UserError
from overopt.own_runs.measured import MeasuredRuns
from overopt.own_runs.text import curve_table, describe, measures_table
from overopt.own_scores.text import printable


def measure(asked: Measure, store: Path | None, workers: int | None) -> int:
    """Measure a log or checkpoints, write where a folder is given, and print."""
    logs = asked.logs or []
    if asked.policy is not None:
        return _measure_checkpoints(asked, store, workers)
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


def _measure_checkpoints(asked: Measure, store: Path | None, workers: int | None) -> int:
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
    count = count_workers(workers)
    if asked.out is not None:
        check_folder("--out", asked.out)
    from overopt.commands.screen import Screen
    from overopt.execution.local import ProcessExecutor
    from overopt.execution.store import Store
    from overopt.own_runs.checkpoints import CheckpointRequest, measure_checkpoints, plan

    wanted = CheckpointRequest(
        policy=asked.policy,
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
    planned, kept = plan(wanted), Store(store)
    if workers is None and planned.runs_alone:
        count = 1
    with ProcessExecutor(kept, count) as executor, Screen(Console(stderr=True), False) as screen:
        measured = measure_checkpoints(wanted, planned, kept, executor, asked.out, screen)
    return show(measured)


def show(measured: MeasuredRuns) -> int:
    """Print what was found out; what is written was written before."""
    console = Console(highlight=False)
    for index in range(len(measured.names)):
        console.print(curve_table(measured, index))
    if measured.measures:
        console.print(measures_table(measured))
    for line in describe(measured):
        console.print(printable(line), markup=False, soft_wrap=True)
    console.print()
    for note in measured.notes:
        console.print(f"note: {printable(note)}", markup=False, soft_wrap=True)
    for path in measured.written:
        console.print(f"{path}", soft_wrap=True, markup=False)
    return 0
