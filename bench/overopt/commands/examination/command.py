"""The command line of ``bench examine``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from overopt.commands.machine import check_folder, count_workers
from overopt.commands.options.machine import Quiet, StorePlace, Workers
from overopt.commands.request import Request, takes_data
from overopt.errors import UserError
from overopt.spec.exam import ExamSpec
from overopt.spec.run import RunSpec

_EXAM = "The exam"


def add_examine(app: typer.Typer, resolve_all: Callable[[Request], list[RunSpec]]) -> None:
    """Give the command ``examine``."""

    @app.command("examine")
    @takes_data
    def examine_command(
        request: Request,
        sets: Annotated[
            int,
            typer.Option(
                min=1,
                metavar="N",
                help="Sets of each design from each held-out prompt.",
                rich_help_panel=_EXAM,
            ),
        ] = ExamSpec().sets_per_prompt,
        out: Annotated[Path, typer.Option(metavar="FOLDER", help="Where marks go.")] = Path(
            "exams"
        ),
        store: StorePlace = None,
        workers: Workers = None,
        quiet: Quiet = False,
    ) -> None:
        """Examine reward models on sets of scored responses; no policy is trained.

        Proxies are those that [bold]bench run[/] would train. Sets are drawn by design out of the
        initial policy's samples, and gold says which responses are right.

        [bold]bench examine --task tabular --proxy single warm --noise 0.25 --seeds 5[/]
        """
        if request.method not in ([], ["bon"]):
            raise UserError("bench examine optimizes nothing; leave --method out.")
        specs, count = resolve_all(replace(request, method=["bon"])), count_workers(workers)
        check_folder("--out", out.parent)
        from overopt.commands.examination.examine import examine
        from overopt.commands.trial import try_own
        from overopt.run.exams.sittings import sittings_of
        from overopt.run.sources import prepare

        try_own(specs)
        for spec in specs:
            prepare(spec)
        asked = ExamSpec(sets_per_prompt=sets)
        sittings = sittings_of(specs, asked)
        raise typer.Exit(examine(sittings, specs, asked, out, store, count, quiet))
