"""Options that several commands share: where and how they run, and what they print."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

MACHINE = "Where and how it runs"

StorePlace = Annotated[
    Path | None,
    typer.Option(
        "--store",
        metavar="FOLDER",
        help="Keep finished stages here, and find them again: a folder or s3://bucket/prefix; by "
        "default in $OVEROPT_STORE, else in the user's cache.",
        rich_help_panel=MACHINE,
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help="Worker processes of one thread each; by default one per core.",
        rich_help_panel=MACHINE,
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", help="Show no progress.", rich_help_panel=MACHINE)]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object, for programs.")]
