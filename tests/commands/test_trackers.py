"""Training sent to trackers: step by step, named, and refused before the run where it cannot be."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from overopt.commands.shell.trackers import Seen, check_trackers, report_runs, seen_in, send
from overopt.errors import UserError
from overopt.spec.columns import TRAJECTORY_COLUMNS
from report.synthetic import write_runs

DIGEST = hashlib.sha256(b"a/b: seed 0").hexdigest()[:10]


class Tracker:
    """Keeps what a tracker is told."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def on_train_begin(self, args: Any, state: Any, control: Any) -> None:
        self.told.append((args.run_name, Path(args.output_dir).name))

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float]) -> None:
        assert state.is_world_process_zero
        self.told.append((state.global_step, logs))

    def on_train_end(self, args: Any, state: Any, control: Any) -> None:
        self.told.append("end")


def test_a_run_is_sent_step_by_step(tmp_path: Path) -> None:
    tracker = Tracker()
    send(tracker, Seen("a/b: seed 0", ((1, {"loss": 0.5}), (2, {"loss": 0.25}))), tmp_path)
    assert tracker.told == [
        ("a/b: seed 0", f"a_b__seed_0-{DIGEST}"), (1, {"loss": 0.5}), (2, {"loss": 0.25}), "end",
    ]  # fmt: skip


def test_runs_of_a_folder_are_named_and_leave_out_what_was_not_seen(tmp_path: Path) -> None:
    (folder,) = write_runs(tmp_path, methods=("dpo",), proxies=("single",), noises=("0",))
    rows = [
        {"world": 0, "proxy": "single", "noise": "0", "seed": seed, "step": step, "loss": 1 / step}
        for seed in (0, 1)
        for step in (1, 2)
    ]
    table = pd.DataFrame(rows, columns=list(TRAJECTORY_COLUMNS))
    table.to_csv(folder / "trajectory.csv", index=False)
    found = list(seen_in(folder))
    assert [one.steps for one in found] == [((1, {"loss": 1.0}), (2, {"loss": 0.5}))] * 2
    assert found[1].name == "reviews/dpo/step-0a1b2c3d: world 0, proxy single, noise 0, seed 1"
    assert report_runs([folder], [], tmp_path) == 0, "no tracker, nothing sent"


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("tensorbord", "Unknown tracker 'tensorbord'. Did you mean tensorboard?"),
        ("dagshub", "--report-to dagshub: "),  # needs two packages that nothing here installs
    ],
)
def test_what_cannot_be_used_is_said_before_the_run(name: str, told: str) -> None:
    with pytest.raises(UserError) as error:
        check_trackers([name])
    assert told in str(error.value)
    check_trackers([])
