"""The command line of what stands beside the runs; ``__main__`` takes it in."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

StorePlace = Annotated[
    Path | None,
    typer.Option(
        "--store",
        metavar="FOLDER",
        help="This store; by default the one in $OVEROPT_STORE, else in the user's cache.",
    ),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Remove without asking.")]


def add_commands(app: typer.Typer) -> None:
    """Give the command ``scores``, ``cite``, ``new``, ``completion`` and ``store``."""
    app.command("scores")(scores_command)
    app.command("cite")(cite_command)
    app.command("new")(new_command)
    app.command("completion")(completion_command)
    app.add_typer(store_app)


def program() -> str:
    """The name that the user typed: ``bench`` or its alias."""
    name = Path(sys.argv[0]).stem
    return name if name in ("bench", "overopt") else "bench"


def scores_command(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="Scored samples: .parquet, .csv or .jsonl.")
    ],
    gold: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Gold score; by default gold.")
    ] = None,
    proxy: Annotated[
        list[str] | None,
        typer.Option(
            metavar="COLUMN...",
            help="Proxy scores, one or more; or length and length_words, counted from the "
            "response.",
        ),
    ] = None,
    prompt: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Prompt id; by default prompt_id.")
    ] = None,
    sample: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Sample id; by default sample_id.")
    ] = None,
    response: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Response text; by default response.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Write curve.csv, fits.json and the figure here."),
    ] = None,
) -> None:
    """Draw best-of-n curves from samples that you scored; no model needed."""
    from overopt.commands.scores import scores

    raise typer.Exit(scores(file, gold, proxy or [], prompt, sample, response, out))


def cite_command(
    names: Annotated[
        list[str],
        typer.Argument(metavar="NAME...", help="Methods, proxies or monitors, or all."),
    ],
) -> None:
    """Print BibTeX of the papers that methods, proxies and monitors come from.

    [bold]bench cite dpo rloo uwo > papers.bib[/]
    """
    from overopt.commands.shell.cite import cite

    raise typer.Exit(cite(names))


def new_command(
    kind: Annotated[str, typer.Argument(metavar="KIND", help="method, proxy, task or monitor.")],
    name: Annotated[str, typer.Argument(metavar="NAME", help="What it is called in results.")],
    like: Annotated[
        str | None, typer.Option(metavar="NAME", help="Start from a copy of this shipped one.")
    ] = None,
) -> None:
    """Write a working method, proxy, task or monitor of your own, to be changed."""
    from overopt.commands.shell.new import new

    raise typer.Exit(new(kind, name, like))


def completion_command(
    shell: Annotated[str, typer.Argument(metavar="SHELL", help="bash, zsh or fish.")],
) -> None:
    """Print what makes the TAB key complete names; its first lines say where it goes."""
    from overopt.commands.shell.completion import script

    raise typer.Exit(script(shell, program()))


store_app = typer.Typer(
    name="store",
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="Where finished stages lie, how large they are, and how they are removed.",
)


@store_app.command("path")
def store_path_command(store: StorePlace = None) -> None:
    """Print where the store lies."""
    from overopt.commands.shell.store import path

    raise typer.Exit(path(store))


@store_app.command("ls")
def store_ls_command(store: StorePlace = None) -> None:
    """Print how many artifacts of each stage there are, and how large they are."""
    from overopt.commands.shell.store import ls

    raise typer.Exit(ls(store))


@store_app.command("gc")
def store_gc_command(store: StorePlace = None, yes: Yes = False) -> None:
    """Remove what no run of this version can find any more, damaged artifacts and dead drafts."""
    from overopt.commands.shell.store import gc

    raise typer.Exit(gc(store, yes))


@store_app.command("rm")
def store_rm_command(
    what: Annotated[
        list[str],
        typer.Argument(
            metavar="WHAT...",
            help="Stages of [bold]bench store ls[/], keys or their first eight digits, or all.",
        ),
    ],
    store: StorePlace = None,
    yes: Yes = False,
) -> None:
    """Remove artifacts; the next run that needs them makes them again."""
    from overopt.commands.shell.store import rm

    raise typer.Exit(rm(store, what, yes))
