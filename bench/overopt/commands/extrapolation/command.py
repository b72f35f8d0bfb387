"""The command line of ``bench extrapolate``."""

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
from overopt.spec.run import RunSpec

_STREAM = "The stream"


def add_extrapolate(app: typer.Typer, resolve_all: Callable[[Request], list[RunSpec]]) -> None:
    """Give the command ``extrapolate``."""

    @app.command("extrapolate")
    @takes_data
    def extrapolate_command(
        request: Request,
        n: Annotated[
            int,
            typer.Option("--n", metavar="N", help="Largest n.", rich_help_panel=_STREAM),
        ] = 65_536,
        fit_up_to: Annotated[
            int,
            typer.Option(
                metavar="N", help="Largest n that the forms are fitted to.", rich_help_panel=_STREAM
            ),
        ] = 1_000,
        prompts: Annotated[
            int,
            typer.Option(
                metavar="B", help="Held-out prompts, from the first.", rich_help_panel=_STREAM
            ),
        ] = 8,
        samples: Annotated[
            int | None,
            typer.Option(
                metavar="N",
                help="Samples of each prompt; by default four times the largest n.",
                rich_help_panel=_STREAM,
            ),
        ] = None,
        out: Annotated[
            Path, typer.Option(metavar="FOLDER", help="Where tables and figure go.")
        ] = Path("extrapolation"),
        store: StorePlace = None,
        workers: Workers = None,
        quiet: Quiet = False,
    ) -> None:
        """Best-of-n far beyond the pool, and what fits of small n foretell of large n.

        Samples are drawn and scored in a stream and only their scores are kept, so that memory
        does not grow with the length of responses.

        [bold]bench extrapolate --task tabular --axis width=8,16,32 --prompts 8[/]
        """
        if request.method not in ([], ["bon"]):
            raise UserError("bench extrapolate draws best-of-n; leave --method out.")
        drawn = 4 * n if samples is None else samples
        if not 2 <= n <= drawn or prompts < 1 or fit_up_to < 2:
            raise UserError(
                f"--n {n}, --samples {drawn}, --prompts {prompts}, --fit-up-to {fit_up_to}: n and "
                "what is fitted are at least 2, samples at least n and prompts at least 1."
            )
        specs, count = resolve_all(replace(request, method=["bon"])), count_workers(workers)
        check_folder("--out", out.parent)
        from overopt.commands.extrapolation.extrapolate import extrapolation
        from overopt.commands.trial import try_own
        from overopt.run.sources import prepare
        from overopt.run.streamed.streams import streams_of
        from overopt.spec.stream import StreamSpec

        try_own(specs)
        for spec in specs:
            prepare(spec)
        asked = StreamSpec(
            prompts=prompts, samples_per_prompt=drawn, n_max=n, fitted_up_to=fit_up_to
        )
        streams = streams_of(specs, asked)
        raise typer.Exit(extrapolation(streams, specs, asked, out, store, count, quiet))
