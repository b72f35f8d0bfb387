"""The command line of ``bench worker``."""

from __future__ import annotations

from typing import Annotated

import typer

from overopt.commands.machine import count_workers
from overopt.commands.options.machine import MACHINE, Quiet, StorePlace, Workers


def add_worker(app: typer.Typer) -> None:
    """Give the command ``worker``."""

    @app.command("worker")
    def worker_command(
        store: StorePlace = None,
        workers: Workers = None,
        leave_after: Annotated[
            float | None,
            typer.Option(
                metavar="SECONDS",
                help="Leave when nothing was ready for so long; by default it stays.",
                rich_help_panel=MACHINE,
            ),
        ] = None,
        quiet: Quiet = False,
    ) -> None:
        """Run stages for [bold]bench run --executor workers[/] on the same store.

        Start as many as you like, on any machines that see the store's folder, before the run or
        during it. One that is stopped (Ctrl-C, SIGTERM) gives its stages back; one that is killed
        loses no more than the stages that it was at.

        [bold]bench worker --store /shared/store --leave-after 600[/]
        """
        count = count_workers(workers)
        from overopt.commands.worker.serve import serve

        raise typer.Exit(serve(store, count, leave_after, quiet))
