"""The command line of ``bench admit``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from overopt.commands.arguments import resolve
from overopt.commands.machine import check_folder, count_workers
from overopt.commands.options.machine import Quiet, StorePlace, Workers
from overopt.commands.options.running import Runner
from overopt.spec.run import RunSpec


def add_admit(app: typer.Typer, run: Runner) -> None:
    """Give the command ``admit``."""

    @app.command("admit")
    def admit_command(
        task: Annotated[
            list[str] | None,
            typer.Argument(metavar="[TASK...]", help="Tasks; by default every shipped one."),
        ] = None,
        runs: Annotated[
            Path,
            typer.Option(metavar="FOLDER", help="Run folders of tasks against the controls."),
        ] = Path("results/admission"),
        carry_out: Annotated[
            bool,
            typer.Option("--run", help="First run the tasks against the controls, into FOLDER."),
        ] = False,
        worlds: Annotated[int, typer.Option(metavar="N", help="Worlds of --run.")] = 3,
        seeds: Annotated[int, typer.Option(metavar="N", help="Seeds of --run.")] = 5,
        method: Annotated[
            str, typer.Option(metavar="NAME", help="The optimizer of --run.")
        ] = "bon",
        publish: Annotated[
            bool,
            typer.Option(
                "--publish",
                help="Write results/admission.csv and bench/overopt/docs/admission.md here.",
            ),
        ] = False,
        check: Annotated[
            bool,
            typer.Option(
                "--check", help="Say whether these two are those of FOLDER; exit with 1 where not."
            ),
        ] = False,
        store: StorePlace = None,
        workers: Workers = None,
        quiet: Quiet = False,
    ) -> None:
        """Say of tasks and worlds whether they can carry a ranking: PASS, FAIL or DEGENERATE.

        Gold has to rise and fall under an optimizer of the proxy, and five rewards have to be in
        order: gold itself, the proxy, the longest, a random one and a constant one.

        [bold]bench admit tabular --run --worlds 3 --seeds 5[/]
        """
        from overopt.commands.admit.admit import Design, admit, check_ledger

        if check:
            raise typer.Exit(check_ledger(runs))

        def execute(spec: RunSpec) -> None:
            run(spec, store, runs, count, quiet)

        count = count_workers(workers)
        if carry_out:
            check_folder("--runs", runs)
        design = Design(method, worlds, seeds) if carry_out else None
        raise typer.Exit(admit(task or [], runs, design, publish, resolve, execute))
