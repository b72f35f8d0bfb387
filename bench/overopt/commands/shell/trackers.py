"""``--report-to``: training step by step, sent to trackers by transformers' integrations.

Trackers take one run per process, so that every training run is sent from a process of its own,
after the results are written. The command itself imports neither torch nor a tracker.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from overopt.catalog.declarations import unknown
from overopt.errors import UserError

FOLDER = "trackers"
"""Where trackers that write files put them, below the results folder."""

T = TypeVar("T")


class Seen(NamedTuple):
    """One training run: its name, and what was seen of it at each step."""

    name: str
    steps: tuple[tuple[int, dict[str, float]], ...]


def check_trackers(names: Sequence[str]) -> None:
    """Refuse trackers that cannot be used, before anything runs.

    Raises:
        UserError: transformers knows no such tracker, or it is not installed.
    """
    problems = _apart(_problems, list(names)) if names else []
    if problems:
        raise UserError(problems[0])


def report_runs(folders: Sequence[Path], names: Sequence[str], out: Path) -> int:
    """Send the training runs of some run folders; returns how many there were.

    Args:
        folders: of runs.
        names: of trackers.
        out: the results folder.
    """
    if not names:
        return 0
    runs = [one for folder in folders for one in seen_in(folder)]
    for one in runs:
        _apart(_send_all, list(names), one, str(out / FOLDER))
    return len(runs)


def seen_in(folder: Path) -> Iterator[Seen]:
    """The training runs of a run folder, in its order."""
    from overopt.report.stored.beside import RUN
    from overopt.report.stored.run_folder import read_run
    from overopt.spec.columns import TRAJECTORY_QUANTITIES

    run = read_run(folder)
    for key, table in run.trajectory.groupby(list(RUN), dropna=False, sort=False):
        told = [
            f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}"
            for name, value in zip(RUN, key, strict=True)
            if value == value and value != ""  # nothing is said of what the run has not
        ]
        steps = tuple(
            (
                int(row["step"]),
                {name: row[name] for name in TRAJECTORY_QUANTITIES if row[name] == row[name]},
            )
            for row in table.to_dict("records")
        )
        yield Seen(f"{run.name}: {', '.join(told)}", steps)


def send(callback: Any, seen: Seen, place: Path) -> None:
    """Send one training run through one of transformers' callbacks.

    Args:
        callback: a ``TrainerCallback`` of a tracker.
        seen: the run.
        place: where the tracker may write.
    """
    from transformers import TrainerControl, TrainerState, TrainingArguments

    short = "".join(one if one.isalnum() or one in "-_." else "_" for one in seen.name[:60])
    room = f"{short}-{hashlib.sha256(seen.name.encode()).hexdigest()[:10]}"
    arguments = TrainingArguments(
        output_dir=str(place / room), run_name=seen.name, report_to="none", use_cpu=True
    )
    state, control = TrainerState(), TrainerControl()
    state.is_world_process_zero = state.is_local_process_zero = True
    callback.on_train_begin(arguments, state, control)
    for step, quantities in seen.steps:
        state.global_step = step
        callback.on_log(arguments, state, control, logs=dict(quantities))
    callback.on_train_end(arguments, state, control)


def _apart(work: Callable[..., T], *given: Any) -> T:
    """Call a function in a process of its own, which ends with it."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        try:
            return process.submit(work, *given).result()
        except BrokenProcessPool as error:
            raise UserError(
                "--report-to: the tracker ended its process; the results are written."
            ) from error


def _problems(names: Sequence[str]) -> list[str]:
    """Why trackers cannot be used, a sentence each."""
    from transformers.integrations import get_reporting_integration_callbacks
    from transformers.integrations.integration_utils import INTEGRATION_TO_CALLBACK

    told = []
    for name in names:
        if name not in INTEGRATION_TO_CALLBACK:
            told.append(f"--report-to: {unknown('tracker', name, INTEGRATION_TO_CALLBACK)}")
            continue
        try:
            get_reporting_integration_callbacks([name])[0]()
        except Exception as error:  # whatever keeps a tracker from starting
            reason = " ".join(str(error).split()).rstrip(".")
            told.append(f"--report-to {name}: {reason}. Install it, or leave the option out.")
    return told


def _send_all(names: Sequence[str], seen: Seen, place: str) -> None:
    from transformers.integrations import get_reporting_integration_callbacks

    for made in get_reporting_integration_callbacks(list(names)):
        send(made(), seen, Path(place))
