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
from overopt.report.stored.streams import CURVES, RECORD
from overopt.report.tables.text import TextTable, write_csv
from overopt.run.cell import Cell
from overopt.run.streamed.carry import Stream, carry_out
from overopt.run.written.asked_for import asked_for
from overopt.spec.run import RunSpec
from overopt.spec.stream import StreamSpec
from overopt.stats.pools.extrapolation import BestOfN, extrapolate


def extrapolation(
    streams: Sequence[Stream],
    runs: Sequence[RunSpec],
    asked: StreamSpec,
    out: Path,
    store_root: Path | None,
    workers: int,
    quiet: bool,
    show: bool = True,
) -> int:
    """Carry out what was asked, and write curves, forms, a figure and what they are of.

    Args:
        streams: of the runs (``run.streamed.streams``).
        runs: what was asked for.
        asked: how much is drawn.
        out: folder of a report.
        store_root, workers, quiet: as options.
        show: whether forms and proxy points are printed.

    Raises:
        UserError: what is asked for cannot be, or a stage failed.
    """
    check_folder(out)
    store = open_store(store_root)
    with (
        Screen(open_console(stderr=True), quiet, workers) as screen,
        ProcessExecutor(store, workers) as executor,
    ):
        curves = carry_out(streams, asked.n_max, store, executor, screen)
    groups = grouped(streams, curves, asked.fitted_up_to)
    write(groups, runs, asked, out)
    if show:
        console = open_console()
        for shown in filter(None, (show_forms(groups), show_points(groups))):
            console.print(_table(shown))
        console.print(f"curves, forms and figure: {out}", soft_wrap=True)
    return 0


def write(
    groups: Sequence[Extrapolated], runs: Sequence[RunSpec], asked: StreamSpec, out: Path
) -> None:
    """Write curves, forms, proxy points, a figure, and what they are of.

    Raises:
        UserError: the folder holds files of somebody else, or cannot be written.
    """
    with report_folder(out) as folder:
        write_csv(curve_frame(groups), folder / CURVES)
        write_csv(form_frame(groups), folder / "forms.csv")
        if show_points(groups) is not None:
            write_csv(point_frame(groups), folder / "proxy_points.csv")
        drawing = draw_extrapolation(groups)
        save_figure(drawing.figure, folder / drawing.name)
        (folder / RECORD).write_text(asked_for("stream", asked, runs), encoding="utf-8")


def grouped(
    streams: Sequence[Stream], curves: Sequence[BestOfN], fitted_up_to: int
) -> list[Extrapolated]:
    """Curves by setting, its seeds together.

    Raises:
        UserError: forms cannot be fitted up to that n.
    """
    named: dict[str, list[tuple[Stream, BestOfN]]] = {}
    for one, curve in zip(streams, curves, strict=True):
        named.setdefault(_setting(one.cell), []).append((one, curve))
    try:
        return [
            Extrapolated(
                label,
                tuple(one.cell.seed for one, _ in seeds),
                extrapolate([curve for _, curve in seeds], fitted_up_to),
                _place(seeds[0][0]),
            )
            for label, seeds in named.items()
        ]
    except ValueError as error:
        raise UserError(f"--fit-up-to {fitted_up_to}: {error}; change it or --n.") from error


def _place(one: Stream) -> dict[str, str | int | None]:
    columns = one.cell.columns
    return {"spec": one.run} | {name: columns[name] for name in columns if name != "seed"}


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
