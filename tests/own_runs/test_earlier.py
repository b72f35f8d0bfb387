"""What stands in the folder that a measurement is written to."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from overopt.errors import UserError
from overopt.own_runs.folder import write_folder
from overopt.own_runs.from_python import measure
from overopt.own_runs.measured import MeasuredRuns

from .test_command import write_seeds


@pytest.fixture
def measured(tmp_path: Path) -> MeasuredRuns:
    return measure(*write_seeds(tmp_path, 1))


def stored(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("record", ["{", "[]", '{"spec": {"engine": "native"}}'])
def test_a_run_that_was_made_is_not_overwritten(
    measured: MeasuredRuns, tmp_path: Path, record: str
) -> None:
    out = tmp_path / "run"
    out.mkdir()
    (out / "run.json").write_text(record)
    (out / "points.csv").write_text("precious")
    before = stored(out)
    for files in ({}, {"run.json": "new"}):
        with pytest.raises(UserError, match="a run that was not measured here"):
            write_folder(out, measured, files)
        assert stored(out) == before


def test_nothing_of_an_earlier_measurement_is_left_beside_a_new_one(
    measured: MeasuredRuns, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    record = json.dumps({"spec": {"measured": {}}})
    files = {"run.json": record, "points.csv": "old", "budgets.csv": "old"}
    write_folder(out, measured, files)
    (out / "notes.txt").write_text("of the user")
    write_folder(out, measured, {"run.json": record, "points.csv": "new"})
    assert (out / "points.csv").read_text() == "new" and not (out / "budgets.csv").exists()
    write_folder(out, measured)
    plain = {"curve.csv", "fits.json", "measured.pdf", "measured.png", "notes.txt"}
    assert set(stored(out)) == plain
    (out / "checkpoints.csv").write_text("of a measurement without gold")
    write_folder(out, measured)
    assert set(stored(out)) == plain


def test_points_that_are_nobody_knows_whose_are_left_alone(
    measured: MeasuredRuns, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "points.csv").write_text("of the user")
    write_folder(out, measured)
    write_folder(out, measured)
    assert (out / "points.csv").read_text() == "of the user"
