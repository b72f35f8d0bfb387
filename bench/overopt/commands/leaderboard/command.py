"""The command line of ``bench leaderboard``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from overopt.leaderboard.ranking.facts import Status
    from overopt.leaderboard.ranking.submitted import Reader

Results = Annotated[
    Path, typer.Option(metavar="FOLDER", help="Run folders, or folders that hold them.")
]
Submissions = Annotated[
    Path, typer.Option(metavar="FOLDER", help="Submissions; there need be none.")
]

Statuses = Annotated[
    Path,
    typer.Option(
        metavar="FOLDER",
        help="The standing of entries, ENTRY.json each, as bench verify --status writes it; what "
        "has none is claimed.",
    ),
]

leaderboard_app = typer.Typer(
    name="leaderboard",
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="Rank the committed results and submissions, track by track.",
)


def add_leaderboard(app: typer.Typer) -> None:
    """Give the command ``leaderboard``."""
    app.add_typer(leaderboard_app)


@leaderboard_app.command("build")
def build_command(
    results: Results = Path("results"),
    submissions: Submissions = Path("submissions"),
    statuses: Statuses = Path("verification"),
    out: Annotated[
        Path,
        typer.Option(
            metavar="FOLDER", help="Where the site goes: new, empty, or a site, which is replaced."
        ),
    ] = Path("site"),
    publish: Annotated[
        bool,
        typer.Option(
            "--publish",
            help="Also write RESULTS/leaderboard.csv and, beside RESULTS, LEADERBOARD.md: the "
            "tables that are committed.",
        ),
    ] = False,
) -> None:
    """Write the site, Markdown, CSV and LaTeX of the leaderboard.

    The same results give the same bytes. Entries of a track are ranked where they share task,
    noise, data, worlds and seeds; an entry whose learning rate was not chosen by
    [bold]bench tune[/] has no rank, nor has one that uses gold.

    [bold]bench leaderboard build --results results --submissions submissions --out site[/]
    """
    from overopt.commands.leaderboard.build import build

    raise typer.Exit(build(results, submissions, out, publish, reader_of(statuses)))


@leaderboard_app.command("check")
def check_command(
    results: Results = Path("results"),
    submissions: Submissions = Path("submissions"),
    statuses: Statuses = Path("verification"),
) -> None:
    """Say whether the committed tables are those of the results; exit with 1 where not."""
    from overopt.commands.leaderboard.build import check

    raise typer.Exit(check(results, submissions, reader_of(statuses)))


def reader_of(statuses: Path) -> Reader:
    """Reads submissions; of another version of an entry, only that it was contested counts."""
    from overopt.leaderboard.ranking.submitted import Reader
    from overopt.leaderboard.submission.reading import read_submission
    from overopt.leaderboard.verification.status import read_status

    def standing(entry: str, submission: str) -> Status:
        path = statuses / f"{entry}.json"
        if not path.exists():
            return "claimed"
        found = read_status(path)
        return found.standing_for(submission) if found.entry == entry else "claimed"

    return Reader(read_submission, standing)
