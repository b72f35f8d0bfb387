"""The command lines of ``bench verify`` and ``bench round``."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from overopt.commands.machine import count_workers
from overopt.commands.options.machine import AsJson, Quiet, StorePlace, Workers

if TYPE_CHECKING:
    from overopt.commands.verify.verify import Entry

_LARGEST_BYTES = 4 << 20

round_app = typer.Typer(
    name="round",
    no_args_is_help=True,
    help="Verify entries in worlds that did not exist when they were written.\n\n"
    "[bold]open[/] commits to a secret by its hash; [bold]run[/] draws an entry's worlds from that "
    "secret and the entry's own hash, and verifies it; [bold]reveal[/] publishes the secret, so "
    "that anybody can [bold]check[/] that neither side chose.",
)

_Folder = Annotated[Path, typer.Argument(metavar="ROUND", help="The round's folder.")]
_Entry = Annotated[Path, typer.Argument(metavar="FOLDER", help="A submission.")]
_StatusFile = Annotated[
    Path | None,
    typer.Option(
        "--status",
        metavar="FILE",
        help="The entry's standing; by default FOLDER-check/status.json beside the submission.",
    ),
]
_Upstream = Annotated[
    Path | None,
    typer.Option(
        "--method", metavar="FILE", help="The method's file, of an entry that names a commit only."
    ),
]


def add_verify(app: typer.Typer) -> None:
    """Give the commands ``verify`` and ``round``."""
    app.command("verify")(verify_command)
    app.add_typer(round_app)


def verify_command(
    folder: _Entry,
    tier: Annotated[
        str,
        typer.Option(
            metavar="TIER",
            help="T0 schema, hashes, arithmetic; T1 gold, proxy and reference recomputed; T2 "
            "policies sampled again; T3 the method run again in fresh worlds. Lower tiers come "
            "first.",
        ),
    ] = "T2",
    round_folder: Annotated[
        Path | None,
        typer.Option(
            "--round", metavar="ROUND", help="Draws the fresh worlds of T3; bench round open."
        ),
    ] = None,
    method: _Upstream = None,
    challenge: Annotated[
        str | None,
        typer.Option(
            metavar="REASON", help="Verify nothing: record that somebody doubts the entry, and why."
        ),
    ] = None,
    by: Annotated[
        str | None, typer.Option(metavar="NAME", help="With --challenge: who doubts it.")
    ] = None,
    where: Annotated[
        str, typer.Option(metavar="URL", help="With --challenge: where it is discussed.")
    ] = "",
    status: _StatusFile = None,
    store: StorePlace = None,
    workers: Workers = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Verify a submission, tier by tier, and write down where it stands.

    An entry is claimed at first, verified once all four tiers found nothing wrong, and contested
    when one did or when somebody challenged it. The exit code is 0 where nothing failed and 1
    where something did.

    [bold]bench round open fresh; bench verify mine-entry --tier T3 --round fresh[/]
    """
    from overopt.commands.verify.verify import Wanted, challenge_entry, verify

    if challenge is not None:
        raise typer.Exit(challenge_entry(_read(folder), by, challenge, where, status))
    wanted = Wanted(
        _read(folder), tier, round_folder, "", method, status, store, count_workers(workers)
    )
    raise typer.Exit(verify(wanted, quiet, as_json))


def _read(folder: Path) -> Entry:
    """The entry of a submission's folder."""
    from overopt.commands.verify.verify import Entry
    from overopt.leaderboard.submission.files import read_plain
    from overopt.leaderboard.submission.parts import DOCUMENT
    from overopt.leaderboard.submission.reading import read_submission

    name = read_submission(folder).entry
    content = read_plain(folder / DOCUMENT, _LARGEST_BYTES, f"{folder} holds no {DOCUMENT}")
    return Entry(folder, name, hashlib.sha256(content).hexdigest())


@round_app.command("open")
def open_command(
    folder: Annotated[Path, typer.Argument(metavar="ROUND", help="A folder that does not exist.")],
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="By default that of the folder.")
    ] = None,
    worlds: Annotated[
        int, typer.Option(metavar="N", help="Fresh worlds for each entry, at least 5.")
    ] = 8,
    seeds: Annotated[int, typer.Option(metavar="N", help="Seeds in each.")] = 3,
) -> None:
    """Draw a secret and commit to it: publish [bold]commitment.json[/] before entries arrive."""
    from overopt.leaderboard.rounds.ledger import open_round

    made = open_round(folder, name or folder.resolve().name, worlds, seeds)
    typer.echo(f"commitment: {made.commitment}")
    typer.echo(f"publish {folder / 'commitment.json'}; keep {folder / 'secret.json'} to yourself")


@round_app.command("run")
def run_command(
    folder: _Folder,
    entry: _Entry,
    beacon: Annotated[
        str,
        typer.Option(
            metavar="HEX",
            help="Public randomness from after the entry arrived, such as a beacon's output, so "
            "that whoever runs the round cannot have chosen either.",
        ),
    ] = "",
    method: _Upstream = None,
    status: _StatusFile = None,
    store: StorePlace = None,
    workers: Workers = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Write down that an entry arrived, draw its worlds, and verify it through T3."""
    from overopt.commands.verify.verify import Wanted, verify

    wanted = Wanted(
        _read(entry), "T3", folder, beacon, method, status, store, count_workers(workers)
    )
    raise typer.Exit(verify(wanted, quiet, as_json))


@round_app.command("reveal")
def reveal_command(folder: _Folder) -> None:
    """End the round: publish its secret, from which all of its worlds follow."""
    from overopt.leaderboard.rounds.ledger import reveal

    made = reveal(folder)
    typer.echo(f"revealed: {folder / 'reveal.json'}, worlds of {len(made.drawn)} entries")


@round_app.command("check")
def check_command(folder: _Folder) -> None:
    """Check a revealed round from its published files alone."""
    from overopt.leaderboard.rounds.ledger import check

    for one in check(folder).drawn:
        typer.echo(f"entry {one.number} {one.entry[:12]}: worlds {' '.join(map(str, one.worlds))}")
    typer.echo("the secret is the one committed to, and every world follows from it")
