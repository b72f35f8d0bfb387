"""The command line of ``bench reproduce``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from overopt.commands.arguments import resolve
from overopt.commands.machine import check_folder, count_workers
from overopt.commands.options.machine import MACHINE, AsJson, Quiet, StorePlace, Workers
from overopt.commands.options.running import Foreseer, Runner


def add_reproduce(app: typer.Typer, run: Runner, foresee: Foreseer) -> None:
    """Give the command ``reproduce``."""

    @app.command("reproduce")
    def reproduce_command(
        paper: Annotated[
            str, typer.Argument(metavar="NAME", help="A paper, all, or list for their names.")
        ] = "list",
        scale: Annotated[
            Literal["smoke", "standard", "full"],
            typer.Option(
                help="smoke: minutes; standard: at most about 2 hours, both on 2 cores; full: a "
                "machine with GPUs."
            ),
        ] = "smoke",
        results: Annotated[
            list[Path] | None,
            typer.Option(
                metavar="FOLDER",
                help="Judge the runs that are stored here and run nothing; may be given again.",
            ),
        ] = None,
        plan: Annotated[
            bool,
            typer.Option("--plan", help="Show which runs it takes, and how long; nothing runs."),
        ] = False,
        out: Annotated[
            Path,
            typer.Option(
                metavar="FOLDER",
                help="Runs go to FOLDER/runs, verdicts to FOLDER/NAME-SCALE.",
                rich_help_panel=MACHINE,
            ),
        ] = Path("reproduced"),
        store: StorePlace = None,
        workers: Workers = None,
        quiet: Quiet = False,
        as_json: AsJson = False,
    ) -> None:
        """Run a paper's grid and judge every claim of it by a rule that was fixed beforehand.

        A claim is reproduced, contradicted, not resolved at this scale, or out of reach. What
        cannot be judged yet is listed with what it waits for. Killed, the same command continues.

        [bold]bench reproduce gao2022[/]

        [bold]bench reproduce gao2022 --scale standard --results results/matrix[/]
        """
        from overopt.commands.examination.examine import examine
        from overopt.commands.extrapolation.extrapolate import extrapolation
        from overopt.commands.reproduce.reproduce import Asked, Making, reproduce
        from overopt.run.exams.sittings import sittings_of
        from overopt.run.streamed.streams import streams_of

        asked = Asked(paper, scale, tuple(results or ()), plan, out, as_json)
        count = count_workers(workers)
        if not plan and paper.lower() != "list":
            check_folder("--out", out)
        by = Making(
            lambda spec, to: run(spec, store, to, count, quiet),
            lambda spec, stream, to: extrapolation(
                streams_of([spec], stream), [spec], stream, to, store, count, quiet, show=False
            ),
            lambda spec, exam, to: examine(
                sittings_of([spec], exam), [spec], exam, to, store, count, quiet, show=False
            ),
            lambda specs: foresee(specs, store, count),
        )
        raise typer.Exit(reproduce(asked, resolve, by))
