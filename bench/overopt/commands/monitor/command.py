"""The command line of ``bench monitor``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from overopt.commands.arguments import resolve
from overopt.commands.machine import check_folder, count_workers
from overopt.commands.options.machine import AsJson, Quiet, StorePlace, Workers
from overopt.commands.options.running import Runner
from overopt.commands.request import Request, takes_request
from overopt.spec.monitor import Signal
from overopt.spec.run import RunSpec


def add_monitor(app: typer.Typer, run: Runner) -> None:
    """Give the command ``monitor``."""

    @app.command("monitor")
    @takes_request
    def monitor_command(
        request: Request,
        monitor: Annotated[
            list[str] | None,
            typer.Option(
                metavar="NAME...",
                help="One or more of [bold]bench list monitors[/], or a .py file of your own; by "
                "default all. The constant stop always takes part.",
            ),
        ] = None,
        runs: Annotated[
            list[Path] | None,
            typer.Option(
                metavar="RUN...",
                help="Score on these stored run folders instead, or on those below a folder; "
                "nothing is run.",
            ),
        ] = None,
        results: Annotated[
            Path,
            typer.Option(metavar="FOLDER", help="Runs go to FOLDER/task/method/run."),
        ] = Path("results"),
        out: Annotated[
            Path, typer.Option(metavar="FOLDER", help="CSV, JSON and the figure go here.")
        ] = Path("monitors"),
        store: StorePlace = None,
        workers: Workers = None,
        quiet: Quiet = False,
        as_json: AsJson = False,
    ) -> None:
        """Score detectors and stopping rules on runs, by the gold that they never see.

        Each run is also made against gold itself, and an alarm on that twin is a false one. Limits
        are set by one rule on other seeds than those that are scored.

        [bold]bench monitor --method rloo --task tabular --seeds 5[/]
        """
        from overopt.commands.monitor.monitor import monitor_runs, score_stored

        asked = monitor or []
        if runs:
            if request != Request():
                named = "the options about what to compare"
                raise typer.BadParameter(f"--runs reads stored runs; leave out {named}")
            raise typer.Exit(score_stored(runs, asked, out, as_json))
        spec, count = resolve(request), count_workers(workers)
        check_folder("--results", results)

        from overopt.run.watching.watch import check_watchable, twins_missing, watch_runs

        check_watchable(spec)

        def carry_out(one: RunSpec) -> list[Path]:
            return run(one, store, results, count, quiet)

        def watch(folders: list[Path], wanted: list[Signal]) -> list[str]:
            from overopt.commands.printing import open_console
            from overopt.commands.screen import Screen
            from overopt.execution.executors.local import ProcessExecutor
            from overopt.execution.store import open_store

            errors = open_console(stderr=True)
            for told in twins_missing(spec.methods):
                errors.print(told, soft_wrap=True)
            kept, screens = open_store(store), Screen(errors, quiet, count)
            with ProcessExecutor(kept, count) as executor, screens as screen:
                return watch_runs(spec, folders, kept, executor, wanted, screen).told

        raise typer.Exit(monitor_runs(spec, asked, out, as_json, carry_out, watch))
