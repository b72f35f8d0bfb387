"""What a stack in training remembers on disk, so that a killed one goes on where it was."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from overopt.engines.stacked.cell import StackedCell
from overopt.engines.stacked.optimizer import Moved, StackedAdam
from overopt.engines.walk.kl_walk import Passed, WalkMemory
from overopt.engines.walk.trajectory import Compute, Snapshot

_FILE = "stack.pt"


def remember(folder: Path, adam: StackedAdam, cells: Sequence[StackedCell]) -> None:
    """Write all of it beside the last one, and let it take that one's place when it is whole.

    Where a method's memory cannot be written, nothing is, and a killed stack starts anew.
    """
    notes = [cell.notes for cell in cells]
    if None in notes:
        return
    state = {
        "steps": adam.steps_taken,
        "policies": _describe_moved(adam.policies),
        "modules": _describe_moved(adam.modules),
        "cells": [_describe(cell) for cell in cells],
        "notes": notes,
    }
    folder.mkdir(parents=True, exist_ok=True)
    draft = folder / f"{_FILE}.part"
    with draft.open("wb") as stream:
        torch.save(state, stream)
        stream.flush()
        os.fsync(stream.fileno())
    draft.replace(folder / _FILE)


def recall(folder: Path, adam: StackedAdam, cells: Sequence[StackedCell]) -> None:
    """Go on from what is remembered; where nothing is, or it cannot be read, from the start."""
    try:
        state: dict[str, Any] = torch.load(folder / _FILE, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, ValueError, EOFError):
        return
    for name, now in (("policies", adam.policies), ("modules", adam.modules)):
        _recall_moved(now, state[name])
    adam.steps_taken = int(state["steps"])
    for cell, told, (memory, tensors) in zip(cells, state["cells"], state["notes"], strict=True):
        cell.rows = [cell.ROW(**row) for row in told["rows"]]
        cell.compute = Compute(**told["compute"])
        cell.error = told["error"]
        cell.skip(len(cell.rows))
        cell.recall_notes(memory, tensors)
        cell.walk.recall(
            WalkMemory(
                told["passed"],
                told["next_check"],
                None if told["last"] is None else _snapshot(told["last"]),
                tuple(_snapshot(one) for one in told["kept"]),
                tuple(
                    Passed(one["step"], Compute(**one["compute"]), one["state"])
                    for one in told["between"]
                ),
            )
        )


def _describe_moved(part: Moved) -> dict[str, dict[str, Tensor]]:
    return {
        "weights": {name: value.detach().cpu() for name, value in part.weights.items()},
        "first": {name: value.cpu() for name, value in part.first.items()},
        "second": {name: value.cpu() for name, value in part.second.items()},
    }


def _recall_moved(part: Moved, told: Mapping[str, Mapping[str, Tensor]]) -> None:
    with torch.no_grad():
        for name, now in (
            ("weights", part.weights),
            ("first", part.first),
            ("second", part.second),
        ):
            for key, value in now.items():
                value.copy_(told[name][key])


def _describe(cell: StackedCell) -> dict[str, Any]:
    walk = cell.walk.memory
    return {
        "rows": [row._asdict() for row in cell.rows],
        "compute": cell.compute._asdict(),
        "error": cell.error,
        "passed": walk.passed,
        "next_check": walk.next_check,
        "last": None if walk.last is None else _told(walk.last),
        "kept": [_told(snapshot) for snapshot in walk.kept],
        "between": [
            {"step": one.step, "compute": one.compute._asdict(), "state": _plain(one.state)}
            for one in walk.between
        ],
    }


def _told(snapshot: Snapshot) -> dict[str, Any]:
    return {
        "step": snapshot.step,
        "kl_nats": snapshot.kl_nats,
        "budgets_nats": list(snapshot.budgets_nats),
        "compute": snapshot.compute._asdict(),
        "state": _plain(snapshot.state),
    }


def _plain(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return dict(state.items())


def _snapshot(told: dict[str, Any]) -> Snapshot:
    return Snapshot(
        told["step"],
        told["kl_nats"],
        tuple(told["budgets_nats"]),
        Compute(**told["compute"]),
        told["state"],
    )
