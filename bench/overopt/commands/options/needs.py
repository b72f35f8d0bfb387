"""The part of ``bench plan`` about models and data that come from outside."""

from __future__ import annotations

import os
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from overopt.commands.printing import print_colored
from overopt.report.quantities import show_bytes
from overopt.run.forecasts.source_need import SourceNeed, download_gb


def is_offline() -> bool:
    """Whether the user has told the hub's library to stay offline."""
    return os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE")


def print_needs(needed: Sequence[SourceNeed], console: Console) -> None:
    """Print what a hub run takes from outside, and what of it is missing."""
    table = Table(title="Models and data")
    for name in ("role", "name", "revision", "license", "state"):
        table.add_column(name, overflow="fold")
    for name in ("size", "parameters"):
        table.add_column(name, justify="right")
    for one in needed:
        unknown = "unknown" if one.is_model else ""
        table.add_row(
            one.role,
            one.name,
            one.revision[:10],
            one.license,
            one.state,
            "unknown" if one.size_gb is None else show_bytes(1e9 * one.size_gb, 3),
            unknown if one.parameters is None else f"{one.parameters / 1e6:,.4g} M",
        )
    console.print(table)
    for one in needed:
        if one.note:
            print_colored(console, "yellow", one.role, f": {one.note}")
    absent = [one for one in needed if one.state != "here"]
    if absent:
        names = ", ".join(dict.fromkeys(one.name for one in absent))
        known = show_bytes(1e9 * download_gb(needed), 3)
        console.print(f"{absent[0].state}: {names}; known sizes add up to {known}", soft_wrap=True)
