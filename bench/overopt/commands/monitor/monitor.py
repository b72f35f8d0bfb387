"""``bench monitor``: watches runs and twins, scores monitors on them, and prints the table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from overopt.commands.options.names import expand
from overopt.commands.printing import open_console, print_colored, print_json
from overopt.errors import UserError
from overopt.monitors.contract import OpenedMonitor
from overopt.own_runs.watching.verdicts import open_monitors as open_named
from overopt.report.monitoring.figure import draw_monitors
from overopt.report.monitoring.output import write_scores
from overopt.report.monitoring.scoring import CONTROL, GroupScores, score_group
from overopt.report.monitoring.seen import NotScored, same_runs, see_run
from overopt.report.monitoring.sheet import NOTE, gold_sentence, remarks_of, rows_of, table_of
from overopt.report.stored.run_folder import find_runs, read_run
from overopt.spec.monitor import WATCHED, Signal
from overopt.spec.run import RunSpec


def monitor_runs(
    spec: RunSpec,
    asked: Sequence[str],
    out: Path,
    as_json: bool,
    carry_out: Callable[[RunSpec], list[Path]],
    watch: Callable[[list[Path], list[Signal]], list[str]],
) -> int:
    """Run, watch, score and print; 1 where something could not be watched.

    Args:
        spec: the runs.
        asked: names or files of monitors; none for all.
        out: where the tables go.
        as_json: print one JSON object instead of tables.
        carry_out: carries the runs out and returns their folders.
        watch: measures what is seen along runs in these folders; returns what failed.
    """
    monitors = _open(asked)
    folders = carry_out(spec)
    wanted = [name for name in WATCHED if any(name in one.spec.reads for one in monitors)]
    failures = watch(folders, wanted)
    errors = open_console(stderr=True)
    for failure in failures:
        print_colored(errors, "red", "failed", f" {failure}")
    return max(_score(folders, monitors, out, as_json), int(bool(failures)))


def score_stored(runs: Sequence[Path], asked: Sequence[str], out: Path, as_json: bool) -> int:
    """Score monitors on stored run folders; nothing is run.

    Raises:
        UserError: no run is there, or none of them can be scored.
    """
    return _score(find_runs(runs), _open(asked), out, as_json)


def _open(asked: Sequence[str]) -> list[OpenedMonitor]:
    """The monitors of these names or files, the constant stop among them; of none, all.

    Raises:
        UserError: one is unknown or not as it should be, or two have one name.
    """
    return open_named([*expand("monitors", asked or ["all"]), CONTROL])


def _score(
    folders: Sequence[Path], monitors: Sequence[OpenedMonitor], out: Path, as_json: bool
) -> int:
    groups: list[GroupScores] = []
    left: list[NotScored] = []
    for folder in folders:
        seen, without = see_run(read_run(folder))
        new = [one for one in seen if not any(same_runs(one, other.runs) for other in groups)]
        groups += [score_group(one, monitors) for one in new]
        left += without
    if not groups:
        reasons = "; ".join(f"{one.name}: {one.reason}" for one in left)
        raise UserError(f"No run can be scored: {reasons}.")
    rows = rows_of(groups)
    written = write_scores(out, rows, NOTE, draw_monitors(groups))
    if as_json:
        skipped = [one._asdict() for one in left]
        print_json("monitors", {"rows": rows, "not_scored": skipped, "note": NOTE})
        return 0
    console = open_console()
    for scores in groups:
        console.print(table_of(scores))
        for line in (gold_sentence(scores), *remarks_of(scores)):
            console.print(line, soft_wrap=True)
        console.print()
    console.print(NOTE)
    for one in left:
        console.print(f"not scored: {one.name}: {one.reason}", soft_wrap=True)
    for path in written:
        console.print(f"{path}", soft_wrap=True)
    return 0
