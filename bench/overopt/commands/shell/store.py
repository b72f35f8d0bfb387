"""``bench store``: where finished stages lie, how large they are, and how they are removed."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import typer
from rich import box
from rich.table import Table

from overopt.commands.printing import open_console, print_text
from overopt.commands.shell.housekeeping import (
    Stored,
    artifacts,
    leftovers,
    named,
    outdated,
    remove,
)
from overopt.errors import UserError
from overopt.execution.disk_errors import disk_errors_explained
from overopt.execution.store import Store, open_store
from overopt.report.quantities import show_bytes, show_duration
from overopt.report.tables.text import MISSING

_LEFT = {
    "quarantine": "damaged artifacts, put aside",
    "tmp": "drafts",
    "kept": "unfinished work of killed runs",
    "failures": "why stages failed",
}


def path(root: Path | None) -> int:
    """Print where the store lies."""
    print_text(open_store(root).place)
    return 0


def _in_folder(place: Path | None) -> Store:
    """The store, which must lie in a folder: what is in a bucket is not looked through."""
    store = open_store(place)
    if not store.is_folder:
        raise UserError(
            f"bench store looks after folders; {store.place} is looked after with the tools of its "
            f"object store. Its cache, {store.root}, may be removed at any time."
        )
    return store


def ls(root: Path | None) -> int:
    """Print how many artifacts of each stage there are, their size and what they have cost."""
    store = _in_folder(root)
    by_stage: dict[str, list[Stored]] = {}
    for one in artifacts(store):
        by_stage.setdefault(one.stage, []).append(one)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("stage", "artifacts", "size", "processor time", "share"):
        table.add_column(name, justify="left" if name == "stage" else "right", no_wrap=True)
    sizes = {stage: sum(one.size_bytes for one in found) for stage, found in by_stage.items()}
    spent = {stage: _processor_s(store, found) for stage, found in by_stage.items()}
    known_s = {stage: sum(costs) for stage, costs in spent.items() if costs}
    total_s = sum(known_s.values())
    for stage in sorted(sizes, key=lambda one: (-known_s.get(one, 0.0), -sizes[one], one)):
        time = share = MISSING
        if stage in known_s:
            time = show_duration(known_s[stage])
            share = f"{known_s[stage] / total_s:.0%}" if total_s else MISSING
        table.add_row(stage, str(len(by_stage[stage])), show_bytes(sizes[stage], 3), time, share)
    total = sum(map(len, by_stage.values()))
    whole = show_duration(total_s) if known_s else MISSING
    table.add_row("all", str(total), show_bytes(sum(sizes.values()), 3), whole, "")
    console = open_console()
    console.print(table)
    if unknown := total - sum(map(len, spent.values())):
        console.print(f"without {unknown} of {total} artifacts, whose time is not recorded")
    for place, size_bytes in leftovers(store).items():
        if size_bytes:
            console.print(f"{_LEFT[place]}: {show_bytes(size_bytes, 3)}")
    console.print(f"store: {store.root}", soft_wrap=True)
    return 0


def _processor_s(store: Store, found: Iterable[Stored]) -> list[float]:
    """Seconds that each artifact has taken; nothing of those whose receipt is gone."""
    receipts = (store.receipt(one.key) for one in found)
    return [receipt.cpu_s for receipt in receipts if receipt is not None]


def gc(root: Path | None, yes: bool) -> int:
    """Remove what no run of the installed version can find, damaged artifacts and dead drafts."""
    store = _in_folder(root)
    if not store.root.is_dir():
        print_text(f"There is no store {store.root}; nothing to remove.")
        return 0
    with disk_errors_explained(store.root), store.alone():
        found = outdated(store)
        rest = leftovers(store)
        waste = sum(rest.get(place, 0) for place in ("quarantine", "tmp"))
        for several, why in (
            (found.unknown, "are of an earlier version that did not record their code"),
            (found.absent, "were made by a file of your own that is no longer there"),
        ):
            if several:
                print_text(f"kept: {_described(several)} {why}; remove them with bench store rm.")
        if not found.gone and not waste:
            print_text("Nothing to remove: a run can find everything in the store.")
            return 0
        what = f"{_described(found.gone)} made by code that has changed since"
        if waste:
            what += f", and {show_bytes(waste, 3)} of drafts and damaged artifacts"
        _ask(what, yes)
        remove(store, found.gone, drafts=True)
    print_text(f"removed: {what}")
    return 0


def rm(root: Path | None, words: Sequence[str], yes: bool) -> int:
    """Remove artifacts by stage or key; the next run that needs them makes them again."""
    store = _in_folder(root)
    if not store.root.is_dir():
        raise UserError(f"There is no store {store.root}; give another with --store.")
    with disk_errors_explained(store.root), store.alone():
        chosen = {one.key: one for word in words for one in named(store, word)}
        what = _described(list(chosen.values()))
        _ask(what, yes)
        remove(store, chosen.values())
    print_text(f"removed: {what}")
    return 0


def _described(chosen: Sequence[Stored]) -> str:
    size = show_bytes(sum(one.size_bytes for one in chosen), 3)
    return f"{len(chosen)} artifact{'' if len(chosen) == 1 else 's'} ({size})"


def _ask(what: str, yes: bool) -> None:
    """Go on only with leave: ``--yes``, or an answer at the terminal."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise UserError(f"This would remove {what}; say --yes. Nothing was removed.")
    if not typer.confirm(f"Remove {what}?"):
        raise UserError("Nothing was removed.")
