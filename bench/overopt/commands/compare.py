"""``bench compare``: who is best, by how much, and is it significant."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from overopt.commands.printing import open_console, print_json
from overopt.errors import UserError, printable

if TYPE_CHECKING:
    from overopt.report.stored.selection import Selection


def compare(
    runs: list[Path],
    at_kl: float,
    baseline: str | None,
    metric: str,
    selection: Selection,
    as_json: bool,
    out: Path | None,
    transfer: Path | None = None,
    systems: bool = False,
) -> int:
    """Compare, write where a folder is given, and print; with ``transfer``, rank proxies.

    What is written comes first, so that a folder that cannot be written is all one hears of.
    """
    if transfer is not None:
        if out is not None or baseline is not None or metric != "gold-at-kl" or systems:
            raise UserError(
                "--transfer ranks proxies by gold at --at-kl in two folders; it takes no --out, "
                "--baseline, --metric or --systems."
            )
        return _show_transfer(runs, transfer, at_kl, selection, as_json)
    from overopt.report.comparison.files import comparison_json, write_comparison
    from overopt.report.comparison.runs import compare as compare_runs

    found = compare_runs(list(runs), at_kl, baseline, metric, selection, systems)
    written: list[Path] = []
    if out is not None:
        from overopt.execution.synced import sync_tree
        from overopt.own_scores.staging import staging_folder

        with staging_folder(out) as staged:
            names = [path.name for path in write_comparison(found, staged)]
            sync_tree(staged)
        written = [out / name for name in names]
    if as_json:
        sys.stdout.write(comparison_json(found))
        return 0

    from overopt.report.comparison.screen import print_comparison

    console = open_console()
    print_comparison(found, console)
    for path in written:
        console.print(f"{path}", soft_wrap=True)
    return 0


def _show_transfer(
    runs: list[Path], other: Path, at_kl: float, selection: Selection, as_json: bool
) -> int:
    from overopt.report.comparison.transfer import compare_transfer
    from overopt.report.comparison.transfer_screen import (
        tell_transfer,
        transfer_json,
        transfer_table,
    )

    found = compare_transfer(list(runs), other, at_kl, selection)
    if as_json:
        print_json("transfer", transfer_json(found))
        return 0
    console = open_console()
    for one in found:
        console.print(transfer_table(one))
        for line in tell_transfer(one):
            console.print(printable(line), soft_wrap=True)
    return 0
