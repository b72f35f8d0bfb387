"""The command line of ``bench submit``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from overopt.commands.machine import count_workers
from overopt.commands.options.machine import AsJson, Quiet, StorePlace, Workers

_ENTRY = "What stands on the leaderboard"

submit_app = typer.Typer(
    name="submit",
    no_args_is_help=True,
    help="Prepare a submission to the leaderboard, and check one as we do.\n\nA submission is a "
    "folder of plain files: the method, its points, and the samples behind them. Run your method "
    "beside the control [bold]bon[/] in the same worlds, then [bold]prepare[/] and [bold]check[/].",
)


def add_submit(app: typer.Typer) -> None:
    """Give the commands ``submit prepare`` and ``submit check``."""
    app.add_typer(submit_app)


@submit_app.command("prepare")
def prepare_command(
    runs: Annotated[
        list[Path],
        typer.Argument(metavar="RUN...", help="Run folders of the method and of the control bon."),
    ],
    out: Annotated[
        Path, typer.Option(metavar="FOLDER", help="The submission; it must not exist yet.")
    ],
    who: Annotated[str, typer.Option(metavar="NAMES", help="Who submits.", rich_help_panel=_ENTRY)],
    contact: Annotated[
        str,
        typer.Option(
            metavar="ADDRESS", help="An e-mail address or an https page.", rich_help_panel=_ENTRY
        ),
    ],
    summary: Annotated[
        str,
        typer.Option(metavar="LINE", help="The idea, in one line.", rich_help_panel=_ENTRY),
    ],
    method: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="The method's file, or URL@COMMIT:PATH of one in a public repository, pinned to "
            "the 40 digits of a commit; without it, the method is one that overopt ships.",
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="By default the method's name.", rich_help_panel=_ENTRY),
    ] = None,
    license_name: Annotated[
        str,
        typer.Option(
            "--license",
            metavar="SPDX",
            help="Of the method and the results.",
            rich_help_panel=_ENTRY,
        ),
    ] = "Apache-2.0",
    policies: Annotated[
        Literal["none", "end", "all"],
        typer.Option(
            help="Whose weights come along: those of every cell's last policy, all, none."
        ),
    ] = "end",
    store: StorePlace = None,
    quiet: Quiet = False,
) -> None:
    """Write the folder of a submission from finished runs.

    [bold]bench run -m bon ./mine.py --worlds 3 --seeds 5 --kl-grid[/], then
    [bold]bench submit prepare results/reviews/mine results/reviews/bon --method mine.py
    --out mine-entry --who "A. Name" --contact a@example.org --summary "What it does."[/]
    """
    from overopt.commands.submit.telling import tell_progress
    from overopt.execution.store import Store
    from overopt.leaderboard.submission.preparing import Author, prepare

    author = Author(name, summary, who, contact, license_name)
    with tell_progress(quiet) as told:
        prepare(runs, method, author, out, Store(store), policies, told)
    typer.echo(f"submission: {out}")
    typer.echo(f"next: bench submit check {out}")


@submit_app.command("check")
def check_command(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A submission.")],
    tier: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TIER...",
            help="t0: schema, hashes, completeness, arithmetic. t1: gold, proxy and reference "
            "recomputed, after t0. By default both; t1 builds worlds and proxies.",
        ),
    ] = None,
    against: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FOLDER...", help="Other submissions, or folders of them, to find copies of."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Where qc.html and verdict.json go; by default FOLDER-check beside the "
            "submission.",
        ),
    ] = None,
    store: StorePlace = None,
    workers: Workers = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Check a submission by tiers T0 and T1, with which [bold]bench verify[/] begins.

    It runs no file of the submission. The exit code is 0 where nothing failed, 1 where something
    did, and 2 where the folder is no submission.
    """
    from overopt.commands.submit.check import check

    count = count_workers(workers)
    raise typer.Exit(check(folder, tier or [], against or [], out, store, count, quiet, as_json))


@submit_app.command("schema")
def schema_command() -> None:
    """Print the JSON Schema of [bold]submission.json[/]."""
    from overopt.leaderboard.submission.schema import published_schema

    typer.echo(published_schema(), nl=False)
