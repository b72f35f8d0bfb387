"""Training step by step is copied into the run folder, and read back."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from overopt.errors import UserError
from overopt.execution.node import Node
from overopt.execution.store import Store
from overopt.report.figures.training import draw_training
from overopt.report.stored.run_folder import read_run
from overopt.report.tables.training import show_training
from overopt.run.cells import cells_of
from overopt.run.graph import Graph
from overopt.spec.columns import TRAJECTORY_COLUMNS

from .finished import finish, receipt
from .specs import run_spec
from .test_records import BUDGETS, GOLD_KB, _write

SEEN = (
    "step,kl_nats,loss,gradient_norm,accuracy\n1,,0.69314718,0.5,0.25\n2,0.123456789,0.5,2.0,1.0\n"
)


def put_run(store: Store, made: Node, text: str) -> None:
    """A training run that left this table."""
    draft = store.draft(made.key)
    (draft / "trajectory.csv").write_text(text)
    with store.lock(made.key):
        store.commit(made.key, draft, made, {}, receipt(made))


def stored(store: Store, seeds: tuple[int, ...] = (0, 1), **more: Any) -> tuple[Any, list[Any]]:
    run = run_spec(["dpo"], seeds=seeds, **more)
    found = []
    for cell in cells_of(run):
        found.append(finish(store, cell, BUDGETS, GOLD_KB))
        put_run(store, Graph(cell).optimize(None, (0.1,)), SEEN)
    return run, found


def test_every_step_of_every_run_has_a_row(store: Store, tmp_path: Path) -> None:
    run, found = stored(store)
    (folder,) = _write(run, found, store, tmp_path / "out")
    with (folder / "trajectory.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert list(rows[0]) == list(TRAJECTORY_COLUMNS)
    assert [(row["seed"], row["step"]) for row in rows] == [
        ("0", "1"), ("0", "2"), ("1", "1"), ("1", "2"),
    ]  # fmt: skip
    assert [row["kl_nats"] for row in rows] == ["", "0.123457"] * 2, "six digits, empty: not seen"
    assert {row["knob_value"] for row in rows} == {"0.1"}
    assert {row["member"] for row in rows} == {""}
    table = read_run(folder).trajectory
    np.testing.assert_array_equal(table["kl_nats"], [np.nan, 0.123457, np.nan, 0.123457])


def test_a_lost_trajectory_leaves_the_run_its_folder(store: Store, tmp_path: Path) -> None:
    run, found = stored(store)
    (folder,) = _write(run, found, store, tmp_path / "out")
    empty = Store(tmp_path / "other")
    empty.prepare()
    again = [finish(empty, cell, BUDGETS, GOLD_KB) for cell in cells_of(run)]
    assert _write(run, again, empty, tmp_path / "out") == [folder]
    (folder / "trajectory.csv").unlink()
    assert _write(run, found, store, tmp_path / "out") == [folder], "an older folder stays"
    assert not (folder / "trajectory.csv").exists()
    assert read_run(folder).trajectory.empty


def test_a_changed_trajectory_is_not_overwritten(store: Store, tmp_path: Path) -> None:
    run, found = stored(store)
    (folder,) = _write(run, found, store, tmp_path / "out")
    (folder / "trajectory.csv").write_text("changed")
    with pytest.raises(UserError, match=r"trajectory\.csv is not what this run wrote"):
        _write(run, found, store, tmp_path / "out")


def test_a_damaged_table_is_refused(store: Store, tmp_path: Path) -> None:
    run, found = stored(store)
    (folder,) = _write(run, found, store, tmp_path / "out")
    path = folder / "trajectory.csv"
    text = path.read_text()
    for damaged, words in (
        (text.replace("0.123457", "nan"), "has kl_nats = nan; it must be a finite number"),
        (text.replace("kl_nats", "kl"), "lacks kl_nats"),
        (text.replace(",1,,0.69", ",,,0.69"), "has no step"),
    ):
        path.write_text(damaged)
        with pytest.raises(UserError, match=words):
            read_run(folder)


def test_the_figure_and_the_table_of_training(store: Store, tmp_path: Path) -> None:
    run, found = stored(store)
    (folder,) = _write(run, found, store, tmp_path / "out")
    read = read_run(folder)
    (drawing,) = draw_training([read])
    titles = [panel.get_title(loc="left") for panel in drawing.figure.axes]
    assert titles == ["KL, cheap (nats)", "loss", "gradient norm", "accuracy on its pairs"]
    loss = drawing.figure.axes[1]
    assert [list(np.asarray(line.get_ydata())) for line in loss.lines] == [[0.693147, 0.5]] * 2
    (row,) = show_training([read]).rows
    assert row[:6] == ("dpo", "single", "0", "2", "2", "0.12")
    assert row[6:] == ("–", "–", "–", "2.00")
    assert draw_training([]) == [] and show_training([]).rows == ()
