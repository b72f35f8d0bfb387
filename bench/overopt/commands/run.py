"""``bench run``: runs methods, writes their results, and prints the table of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from overopt.commands.options.executor import Machines, opening
from overopt.commands.printing import open_console, print_colored
from overopt.commands.screen import Screen
from overopt.commands.shell.trackers import check_trackers, report_runs
from overopt.commands.trial import try_own
from overopt.execution.store import open_store
from overopt.run.cells import tell_blind
from overopt.run.driver import RunOutcome, execute_runs
from overopt.run.forecasts.hub import acceleration
from overopt.run.refusals import check_possible
from overopt.run.sources import prepare
from overopt.spec.run import RunSpec


def run(
    specs: Sequence[RunSpec],
    store_root: Path | None,
    out: Path,
    workers: int,
    quiet: bool,
    arguments: Sequence[str],
    trackers: Sequence[str] = (),
    machines: Machines | None = None,
) -> int:
    """Run, write results, print the table; returns the exit code (1 when a cell failed)."""
    check_trackers(trackers)
    outcome = make_runs(specs, store_root, out, workers, quiet, arguments, machines)
    console = open_console()
    _print_results(outcome.folders, console)
    for folder in outcome.folders:
        console.print(f"results: {folder}", soft_wrap=True)
    if trackers:
        sent = report_runs(outcome.folders, trackers, out)
        what = f"{sent} training run{'' if sent == 1 else 's'}"
        console.print(f"{what} sent to {', '.join(trackers)}", soft_wrap=True)
    words = " ".join(str(folder) for folder in outcome.folders)
    console.print(f"next: bench report {words}", soft_wrap=True)
    return 1 if outcome.failures else 0


def make_runs(
    specs: Sequence[RunSpec],
    store_root: Path | None,
    out: Path,
    workers: int,
    quiet: bool,
    arguments: Sequence[str],
    machines: Machines | None = None,
) -> RunOutcome:
    """Run, side by side where there are several, such as the levels of an axis; write results.

    Progress and what failed go to the standard error stream.
    """
    errors = open_console(stderr=True)
    for notice in dict.fromkeys(map(tell_blind, specs)):
        if notice:
            errors.print(notice, soft_wrap=True)
    try_own(specs)
    for spec in specs:
        prepare(spec)
    refused = check_possible(specs)
    for name, reason in refused.items():
        print_colored(errors, "red", "cannot run", f" {name}: {reason}")
    store = open_store(store_root)
    elsewhere = opening(machines, acceleration(specs[0])) if machines else None
    with Screen(errors, quiet, workers if elsewhere is None else None) as screen:
        outcome = execute_runs(
            specs,
            store,
            out,
            workers=workers,
            arguments=arguments,
            on_notice=screen,
            executor=elsewhere,
            tell=lambda text: errors.print(text, soft_wrap=True, markup=False, highlight=False),
        )
    if screen.found_everything and not outcome.failures:
        errors.print("This run is complete: all of it had been done before, and nothing ran.")
    for title, failure in outcome.failures:
        if failure.message in refused.values():
            continue  # told before the run
        stage = "" if failure.title == title else f" {failure.title}:"
        print_colored(errors, "red", "failed", f" {title}:{stage} {failure.message}")
    return outcome


def _print_results(folders: Sequence[Path], console: Console) -> None:
    from overopt.report.stored.marking import mark_gold
    from overopt.report.stored.reading import read_results
    from overopt.report.tables.terminal import run_table

    console.print(run_table(mark_gold(read_results(list(folders)))))
