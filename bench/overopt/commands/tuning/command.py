"""The command line of ``bench tune``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from overopt.commands.arguments import resolve
from overopt.commands.machine import check_folder, count_workers
from overopt.commands.options.machine import Quiet, StorePlace, Workers
from overopt.commands.options.running import Runner
from overopt.spec.run import RATE_FACTORS, RunSpec


def add_tune(app: typer.Typer, run: Runner) -> None:
    """Give the command ``tune``."""

    @app.command("tune")
    def tune_command(
        method: Annotated[
            list[str], typer.Option("--method", "-m", metavar="NAME...", help="Methods that train.")
        ],
        task: Annotated[
            str, typer.Option(metavar="NAME", help="One of bench list tasks.")
        ] = "reviews",
        proxy: Annotated[
            str | None,
            typer.Option(
                metavar="NAME",
                help="What they are tried against; by default single. Methods that read scores of "
                "steps need one that gives them, such as prm.",
            ),
        ] = None,
        factors: Annotated[
            list[float] | None,
            typer.Option(
                metavar="F...", help="Multiples of the task's learning rate; by default 0.5 1 2."
            ),
        ] = None,
        seeds: Annotated[int, typer.Option(metavar="N", help="Seeds of each trial.")] = 2,
        out: Annotated[
            Path,
            typer.Option(metavar="FILE", help="Where the chosen rates go; new ones are added."),
        ] = Path("rates.json"),
        store: StorePlace = None,
        workers: Workers = None,
        quiet: Quiet = False,
    ) -> None:
        """Choose every method's learning rate by the same small budget, for [bold]--rates[/].

        Trials are in a world and with seeds of their own. The rate at which every seed reaches more
        budgets wins, then the one with more proxy reward there; gold is looked at only for methods
        that may see it.

        [bold]bench tune --method dpo ipo rloo --out rates.json[/]
        """
        from overopt.commands.tuning.tune import tune

        def carry_out(spec: RunSpec, folder: Path) -> list[Path]:
            return run(spec, store, folder, count, quiet)

        count = count_workers(workers)
        check_folder("--out", out.parent)
        wanted = factors or RATE_FACTORS
        raise typer.Exit(tune(method, task, proxy, wanted, seeds, out, resolve, carry_out))
