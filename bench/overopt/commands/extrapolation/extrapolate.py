"""``bench extrapolate``: draws, reads, fits, writes and prints."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.table import Table

from overopt.commands.printing import open_console
from overopt.commands.screen import Screen
from overopt.errors import UserError
from overopt.execution.executors.local import ProcessExecutor
from overopt.execution.node import Node
from overopt.execution.store import open_store
from overopt.report.extrapolation.figure import draw_extrapolation
from overopt.report.extrapolation.tables import (
    Extrapolated,
    curve_frame,
    form_frame,
    point_frame,
    show_forms,
    show_points,
)
from overopt.report.figures.style import save_figure
from overopt.report.folder import check_folder, report_folder
from overopt.report.stored.levels import short
from overopt.report.tables.text import TextTable, write_csv
from overopt.run.cell import Cell
from overopt.run.streamed.carry import Asked, carry_out
from overopt.stats.pools.extrapolation import BestOfN, extrapolate


def extrapolation(
    streams: Sequence[tuple[Cell, Node]],
    asked: Asked,
    fitted_up_to: int,
    out: Path,
    store_root: Path | None,
    workers: int,
    quiet: bool,
) -> int:
    """Carry out what was asked, and write curves, forms and a figure.

    Raises:
        UserError: what is asked for cannot be, or a stage failed.
    """
    check_folder(out)
    store = open_store(store_root)
    with (
        Screen(open_console(stderr=True), quiet, workers) as screen,
        ProcessExecutor(store, workers) as executor,
    ):
        curves = carry_out(streams, asked, store, executor, screen)
    groups = _grouped([cell for cell, _ in streams], curves, fitted_up_to)
    with report_folder(out) as folder:
        write_csv(curve_frame(groups), folder / "best_of_n.csv")
        write_csv(form_frame(groups), folder / "forms.csv")
        points = show_points(groups)
        if points is not None:
            write_csv(point_frame(groups), folder / "proxy_points.csv")
        drawing = draw_extrapolation(groups)
        save_figure(drawing.figure, folder / drawing.name)
    console = open_console()
    for shown in filter(None, (show_forms(groups), points)):
        console.print(_table(shown))
    console.print(f"curves, forms and figure: {out}", soft_wrap=True)
    return 0


def _grouped(
    cells: Sequence[Cell], curves: Sequence[BestOfN], fitted_up_to: int
) -> list[Extrapolated]:
    """Curves by setting, its seeds together."""
    named: dict[str, list[tuple[int, BestOfN]]] = {}
    for cell, one in zip(cells, curves, strict=True):
        named.setdefault(_setting(cell), []).append((cell.seed, one))
    try:
        return [
            Extrapolated(
                label,
                tuple(seed for seed, _ in seeds),
                extrapolate([one for _, one in seeds], fitted_up_to),
            )
            for label, seeds in named.items()
        ]
    except ValueError as error:
        raise UserError(f"--fit-up-to {fitted_up_to}: {error}; change it or --n.") from error


def _setting(cell: Cell) -> str:
    """All that tells a cell from others, but its seed."""
    proxy = cell.task.proxy
    parts = [cell.task.name, f"world {cell.world}", cell.proxy.name]
    parts.append(short(cell.level, cell.proxy.name))
    parts.append(f"width {cell.task.proxy_width}" if cell.task.proxy_width else "")
    parts.append(f"{proxy.comparisons} pairs")
    parts.append("" if cell.noise_label == "0" else f"noise {cell.noise_label}")
    return ", ".join(filter(None, parts))


def _table(shown: TextTable) -> Table:
    table = Table(
        title=shown.title,
        caption=shown.note,
        box=SIMPLE_HEAD,
        title_justify="left",
        caption_justify="left",
    )
    for number, name in enumerate(shown.header):
        is_word = number < shown.words
        table.add_column(name, justify="left" if is_word else "right", overflow="fold")
    for row in shown.rows:
        table.add_row(*row)
    return table
