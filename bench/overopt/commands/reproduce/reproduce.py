"""``bench reproduce``: runs what a paper's claims need, then judges them from stored results."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from rich import box
from rich.table import Table

from overopt.commands.printing import open_console, print_json
from overopt.commands.request import Request
from overopt.errors import NothingToRun, UserError
from overopt.execution.synced import sync_tree
from overopt.own_scores.staging import staging_folder
from overopt.papers.contract.paper import Grid, Paper, Scale
from overopt.papers.shelf import find, names
from overopt.report.quantities import show_duration
from overopt.report.stored.exams import StoredExams, find_exams
from overopt.report.stored.run import Run
from overopt.report.stored.run_folder import find_runs, read_run
from overopt.report.stored.streams import StoredStreams, find_streams
from overopt.report.verdicts.arms import Arm, ArmRows, Measured
from overopt.report.verdicts.beyond import Part, drawn_of, of_arm, with_streams
from overopt.report.verdicts.claims import Verdict
from overopt.report.verdicts.examined.joining import Part as ExamPart
from overopt.report.verdicts.examined.joining import exam_rows, is_exam
from overopt.report.verdicts.gathering import gather, holds
from overopt.report.verdicts.judging import judge
from overopt.report.verdicts.shown.drawing import draw_figures
from overopt.report.verdicts.shown.page import Judged
from overopt.report.verdicts.shown.tables import count, terminal_table, tidy_row
from overopt.report.verdicts.shown.writing import PAGE, write_paper
from overopt.run.forecasts.stages import Forecast
from overopt.spec.exam import ExamSpec
from overopt.spec.run import RunSpec
from overopt.spec.stream import StreamSpec

CarryOut = Callable[[RunSpec, Path], list[Path]]
Draw = Callable[[RunSpec, StreamSpec, Path], int]
"""Draws best-of-n beyond the pool into a folder."""
Examine = Callable[[RunSpec, ExamSpec, Path], int]
"""Examines proxies into a folder."""
Foresee = Callable[[Sequence[RunSpec]], Forecast]
"""Estimates what runs cost together."""
Check = Callable[[Request], RunSpec]
"""Resolves what is asked for."""


class Stored(NamedTuple):
    """What lies in some folders; left_out: streams and exams that could not be read, and why."""

    runs: Sequence[Run] = ()
    streams: Sequence[StoredStreams] = ()
    exams: Sequence[StoredExams] = ()
    left_out: Sequence[str] = ()


class Making(NamedTuple):
    """What makes what is missing, runs, best-of-n beyond the pool and exams, and what runs cost."""

    run: CarryOut
    draw: Draw
    examine: Examine
    foresee: Foresee


class Asked(NamedTuple):
    """What the command was asked for.

    results: folders to judge as they are; none: run what is missing.
    """

    paper: str
    scale: Scale
    results: tuple[Path, ...]
    plan: bool
    out: Path
    as_json: bool


def reproduce(asked: Asked, check: Check, by: Making) -> int:
    """Carry out what was asked; 0 whatever the verdicts are, since a contradiction is a result."""
    if asked.paper.lower() == "list":
        return _list()
    chosen = names() if asked.paper.lower() == "all" else [asked.paper]
    papers = [find(name) for name in chosen]
    if asked.plan:
        return _plan(papers, asked, check, by.foresee)
    given = stored(asked.results, "--results") if asked.results else None
    verdicts = {paper.name: _one(paper, asked, check, by, given) for paper in papers}
    if asked.as_json:
        rows = [tidy_row(name, one) for name, several in verdicts.items() for one in several]
        print_json("verdicts", {"scale": asked.scale, "claims": rows})
    return 0


def _one(
    paper: Paper, asked: Asked, check: Check, by: Making, given: Stored | None
) -> list[Verdict]:
    """Run what is missing of one paper, judge it, write and show it."""
    errors = open_console(stderr=True)
    specs = specs_of(paper, asked.scale, check)
    if given is None:
        place = asked.out / "runs"
        _run_missing(specs, place, by.run)
        _draw_missing(paper, asked.scale, specs, place, by.draw)
        _examine_missing(paper.grids[asked.scale].exam, specs, place, by.examine)
        given = _made(place)
    measured = measured_of(
        specs,
        paper.grids[asked.scale],
        given,
        lambda words: errors.print(words, soft_wrap=True),
    )
    judged = judge_measured(paper, asked.scale, measured)
    verdicts = list(judged.verdicts)
    out = asked.out / f"{paper.name}-{asked.scale}"
    with staging_folder(out) as staged:
        write_paper(judged, draw_figures(paper.figures, measured, staged), staged)
        sync_tree(staged)
    if not asked.as_json:
        console = open_console()
        console.print(terminal_table(f"{paper.name}: {paper.title}", verdicts))
        told = ", ".join(f"{number} {verdict}" for verdict, number in count(verdicts).items())
        console.print(told, soft_wrap=True)
        console.print(f"page: {out / PAGE}", soft_wrap=True)
    return verdicts


def measured_of(
    specs: Mapping[Arm, RunSpec], grid: Grid, there: Stored, tell: Callable[[str], None]
) -> dict[Arm, ArmRows]:
    """What is stored of every arm: in runs, beyond the pool and in exams."""
    for words in there.left_out:
        tell(words)
    found = gather(_optimized(specs), there.runs, tell)
    return {
        arm: exam_rows(exams_of(spec, grid.exam, there.exams))
        if is_exam(arm)
        else with_streams(found[arm], spec, parts_of(spec, grid.stream, there.streams))
        for arm, spec in specs.items()
    }


def _optimized(specs: Mapping[Arm, RunSpec]) -> dict[Arm, RunSpec]:
    """The arms that are run."""
    return {arm: spec for arm, spec in specs.items() if not is_exam(arm)}


def parts_of(
    wanted: RunSpec, asked: StreamSpec | None, streams: Sequence[StoredStreams]
) -> list[Part]:
    """The parts of all that was drawn beyond the pool, as a grid asks, that hold cells of an arm.

    Streams of other sizes are other settings, as runs of another KL grid are.
    """
    return [
        (stored.curves, number)
        for stored in streams
        if stored.stream == asked
        for number, spec in enumerate(stored.specs)
        if holds(spec, wanted)
    ]


def exams_of(wanted: RunSpec, asked: ExamSpec, exams: Sequence[StoredExams]) -> list[ExamPart]:
    """The marks of an arm's cells in all exams; those that were drawn otherwise are others."""
    return [
        (of_arm(stored.marks, number, wanted), stored.folder.name)
        for stored in exams
        if stored.exam == asked
        for number, spec in enumerate(stored.specs)
        if holds(spec, wanted)
    ]


def judge_measured(paper: Paper, scale: Scale, measured: Measured) -> Judged:
    """All verdicts of one paper, with what its page says beside them; without images."""
    return Judged(
        paper.name,
        paper.title,
        paper.url,
        scale,
        _setting(paper.grids[scale]),
        judge(paper.claims, measured),
        paper.figures,
        {},
        {},
        paper.notes,
        sorted({folder for rows in measured.values() for folder in rows.folders}),
    )


def _run_missing(specs: dict[Arm, RunSpec], out: Path, run: CarryOut) -> None:
    """Run every arm that is not stored in full; what is stored is found again, not made again."""
    wanted = _optimized(specs)
    there = gather(wanted, _made(out).runs)
    missing = {arm: spec for arm, spec in wanted.items() if not _whole(there[arm], spec)}
    for spec in joined(missing.values()):
        try:
            run(spec, out)
        except NothingToRun as error:
            open_console(stderr=True).print(str(error), soft_wrap=True, markup=False)


def _draw_missing(
    paper: Paper, scale: Scale, specs: dict[Arm, RunSpec], out: Path, draw: Draw
) -> None:
    """Draw the arms that go beyond the pool, where that is not stored."""
    asked = paper.grids[scale].stream
    if asked is None:
        return
    streams = find_streams((out,)) if out.is_dir() else []
    for arm in paper.streamed:
        spec = specs[arm]
        if not _drawn(spec, asked, streams):
            draw(spec, asked, out / "beyond-the-pool" / _name(spec, asked))


def _examine_missing(
    asked: ExamSpec, specs: dict[Arm, RunSpec], out: Path, examine: Examine
) -> None:
    """Examine the proxies whose exams are not stored."""
    exams = find_exams((out,)) if out.is_dir() else []
    for arm, spec in specs.items():
        if is_exam(arm) and not _whole(exam_rows(exams_of(spec, asked, exams)), spec):
            examine(spec, asked, out / "exams" / _name(spec, asked))


def _name(spec: RunSpec, asked: StreamSpec | ExamSpec) -> str:
    """Of a folder that holds what was asked of a run, and nothing else."""
    return hashlib.sha256(f"{spec.model_dump_json()} {asked}".encode()).hexdigest()[:10]


def _drawn(spec: RunSpec, asked: StreamSpec, streams: Sequence[StoredStreams]) -> bool:
    there = drawn_of(spec, parts_of(spec, asked, streams))
    return {(world, seed) for world in spec.worlds for seed in spec.seeds} <= set(there)


def _whole(rows: ArmRows, spec: RunSpec) -> bool:
    """Whether every world and seed of an arm was measured, with the looks that it asks for.

    Failures are what a run came to.
    """
    if rows.missing.startswith("failed"):
        return True
    seen = rows.looks.issuperset(spec.looks)
    return seen and all(len(rows.worlds.get(world, ())) == len(spec.seeds) for world in spec.worlds)


def joined(specs: Iterable[RunSpec]) -> list[RunSpec]:
    """Specs of single arms put together where they differ in the proxy system only."""
    groups: dict[str, RunSpec] = {}
    for spec in specs:
        key = spec.model_copy(update={"proxies": ()}).model_dump_json()
        known = groups.get(key)
        proxies = known.proxies if known is not None else ()
        new = tuple(one for one in spec.proxies if one not in proxies)
        groups[key] = spec.model_copy(update={"proxies": (*proxies, *new)})
    return list(groups.values())


def stored(places: Sequence[Path], option: str = "results", own: bool = False) -> Stored:
    """All runs, streams and exams of some folders.

    Args:
        places: the folders.
        option: that named them.
        own: whether they are this command's, which may have been killed before it wrote a run.

    Raises:
        UserError: one of them is no folder, or holds nothing.
    """
    for place in places:
        if not place.is_dir():
            raise UserError(f"{option} {place}: it is not a folder; give one that holds runs.")
    if not places:
        return Stored()
    left_out: list[str] = []
    streams = find_streams(places, left_out.append)
    exams = find_exams(places, left_out.append)
    drawn = {one.folder for one in streams} | {one.folder for one in exams}
    of_runs = [
        place
        for place in places
        if _holds_run(place)
        or not (own or any(folder.is_relative_to(place.resolve()) for folder in drawn))
    ]
    runs = [read_run(folder) for folder in find_runs(of_runs)] if of_runs else []
    return Stored(runs, streams, exams, left_out)


def _holds_run(place: Path) -> bool:
    """Whether a run was written in a folder; hidden folders are drafts."""
    found = (file.relative_to(place) for file in place.rglob("run.json"))
    return any(not any(part.startswith(".") for part in file.parts) for file in found)


def _made(place: Path) -> Stored:
    """What earlier calls left: nothing where all claims are exact, or they were killed early."""
    return stored((place,), own=True) if place.is_dir() else Stored()


def specs_of(paper: Paper, scale: Scale, check: Check) -> dict[Arm, RunSpec]:
    """Every arm of a paper at a scale as the run that ``bench run`` would make of it."""
    grid = paper.grids[scale]
    return {
        arm: check(request_of(arm, grid)).model_copy(update={"looks": paper.looks_of(arm)})
        for arm in paper.arms(scale)
    }


def request_of(arm: Arm, grid: Grid) -> Request:
    """The options of ``bench run`` for one arm; settings and budgets of a grid are of its task."""
    own = arm.task is not None
    return Request(
        method=["bon" if is_exam(arm) else arm.method],
        proxy=[arm.proxy],
        task=arm.task or grid.task,
        settings=[*(() if own else grid.settings), *arm.settings],
        seeds=arm.seeds or grid.seeds,
        worlds=None if grid.worlds == 1 else grid.worlds,
        noise=[arm.noise],
        flaw=[] if arm.flaw is None else [arm.flaw],
        comparisons=[] if arm.comparisons is None else [arm.comparisons],
        proxy_start=[] if arm.proxy_start is None else [arm.proxy_start],
        proxy_width=[] if arm.proxy_width is None else [arm.proxy_width],
        kl_grid=[] if own else [f"{budget:g}" for budget in grid.kl_grid_nats],
        along=arm.along,
    )


def _setting(grid: Grid) -> str:
    worlds = "1 world" if grid.worlds == 1 else f"{grid.worlds} worlds"
    own = f", {' '.join(grid.settings)}" if grid.settings else ""
    return f"task {grid.task}, {grid.seeds} seeds, {worlds}{own}"


def _list() -> int:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for head in ("paper", "claims", "judged", "arms, standard", "title"):
        table.add_column(head, no_wrap=head == "paper")
    for name in names():
        paper = find(name)
        able = sum(not claim.needs for claim in paper.claims)
        arms = len(paper.arms("standard"))
        table.add_row(name, str(len(paper.claims)), str(able), str(arms), paper.title)
    open_console().print(table)
    return 0


def _plan(papers: Sequence[Paper], asked: Asked, check: Check, foresee: Foresee) -> int:
    """Which runs it takes, and which of them are stored."""
    console = open_console()
    for paper in papers:
        specs = specs_of(paper, asked.scale, check)
        given = asked.results
        found = stored(given, "--results") if given else _made(asked.out / "runs")
        rows = measured_of(specs, paper.grids[asked.scale], found, lambda words: None)
        table = Table(title=f"{paper.name}, {asked.scale}: {_setting(paper.grids[asked.scale])}",
                      title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)  # fmt: skip
        for head in ("arm", "cells", "stored"):
            table.add_column(head)
        missing: list[RunSpec] = []
        for arm, spec in specs.items():
            cells = len(spec.seeds) * len(spec.worlds)
            whole = _whole(rows[arm], spec)
            table.add_row(arm.name, str(cells), "yes" if whole else "no")
            missing += [] if whole or is_exam(arm) else [spec]
        stream = paper.grids[asked.scale].stream
        if stream is not None:
            for arm in paper.streamed:
                cells = len(specs[arm].seeds) * len(specs[arm].worlds)
                there = "yes" if _drawn(specs[arm], stream, found.streams) else "no"
                table.add_row(f"{arm.name}, to n = {stream.n_max:,}", str(cells), there)
        console.print(table)
        console.print(_cost(joined(missing), foresee), soft_wrap=True)
    return 0


def _cost(missing: Sequence[RunSpec], foresee: Foresee) -> str:
    """How long the runs take that are not stored."""
    if not missing:
        return "all runs are stored"
    found = foresee(missing)
    work_s = sum(one.wall_s or 0.0 for one in found.stages)
    return (
        f"runs that are not stored: about {show_duration(found.wall_s or 0.0)}, and "
        f"{show_duration(work_s)} of one processor, by estimates; exams and draws beyond the pool "
        "come on top"
    )
