"""Checkpoints that a killed run goes on from, and the choice of the newest whole one.

TRL's trainer saves weights, optimizer and random state. Beside them goes what the run has seen on
its way: rows, costs, and the policies that it keeps, whose weights lie once in a folder that all
checkpoints share. A manifest with the sha256 of every file is written last, so that a checkpoint
is whole or known not to be.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from safetensors.torch import load_file, save_file
from torch import Tensor

from overopt.engines.walk.kl_walk import Passed, WalkMemory
from overopt.engines.walk.trajectory import Compute, Row, Snapshot

_STATE, _MANIFEST, _POLICIES = "run_state.json", "manifest.json", "policies"

AnyRow = TypeVar("AnyRow", bound=Row)


@dataclass(frozen=True)
class RunState(Generic[AnyRow]):
    """What a run has seen so far: a row per step, its costs, and its walk along KL."""

    rows: tuple[AnyRow, ...]
    compute: Compute
    walk: WalkMemory


def write_run_state(checkpoint: Path, state: RunState[AnyRow]) -> None:
    """Complete a checkpoint of TRL's trainer and seal it; forget policies that none needs any more.

    Args:
        checkpoint: ``<folder>/checkpoint-<step>``, as the trainer has just written it.
        state: of the same step.
    """
    policies = checkpoint.parent / _POLICIES
    policies.mkdir(exist_ok=True)
    last = () if state.walk.last is None else (state.walk.last,)
    wanted: dict[int, Snapshot | Passed] = {
        policy.step: policy for policy in (*state.walk.kept, *last, *state.walk.between)
    }
    for policy in wanted.values():
        _write_policy(policies / _file_name(policy.step), policy.state)
    document = {
        "rows": [row._asdict() for row in state.rows],
        "compute": state.compute._asdict(),
        "passed": state.walk.passed,
        "next_check": state.walk.next_check,
        "last": None if state.walk.last is None else _describe(state.walk.last),
        "kept": [_describe(snapshot) for snapshot in state.walk.kept],
        "between": [
            {"step": one.step, "compute": one.compute._asdict()} for one in state.walk.between
        ],
    }
    _write_text(checkpoint / _STATE, json.dumps(document, allow_nan=False))
    files = [path for path in sorted(checkpoint.rglob("*")) if path.is_file()]
    files += [policies / _file_name(step) for step in wanted]
    hashes = {os.path.relpath(path, checkpoint): _sha256(path) for path in files}
    _write_text(checkpoint / _MANIFEST, json.dumps(hashes))
    _forget_policies(policies)


def newest_whole(folder: Path) -> Path | None:
    """The newest checkpoint whose files are all as they were sealed; broken newer ones go."""
    found = sorted(folder.glob("checkpoint-*"), key=lambda path: int(path.name.rpartition("-")[2]))
    whole = None
    while found and whole is None:
        newest = found.pop()
        if _is_whole(newest):
            whole = newest
        else:
            shutil.rmtree(newest)
    if (folder / _POLICIES).is_dir():
        _forget_policies(folder / _POLICIES)  # a broken one is listed by no whole checkpoint
    return whole


def read_run_state(
    checkpoint: Path, row: Callable[..., AnyRow], with_weights: bool = True
) -> RunState[AnyRow]:
    """The state in a whole checkpoint, with the kept policies' weights, if wanted.

    Args:
        checkpoint: as ``newest_whole`` found it.
        row: the family's kind of row.
        with_weights: whether the kept policies' weights are loaded.
    """
    document = json.loads((checkpoint / _STATE).read_text(encoding="utf-8"))
    rows = tuple(row(**columns) for columns in document["rows"])

    def weights(told: dict[str, Any]) -> dict[str, Tensor]:
        file = checkpoint.parent / _POLICIES / _file_name(told["step"])
        return dict(load_file(file)) if with_weights else {}

    def recall(told: dict[str, Any]) -> Snapshot:
        return Snapshot(
            told["step"],
            told["kl_nats"],
            tuple(told["budgets_nats"]),
            Compute(**told["compute"]),
            weights(told),
        )

    last = None if document["last"] is None else recall(document["last"])
    kept = tuple(recall(one) for one in document["kept"])
    between = tuple(
        Passed(told["step"], Compute(**told["compute"]), weights(told))
        for told in document["between"]
    )
    walk = WalkMemory(document["passed"], document["next_check"], last, kept, between)
    return RunState(rows, Compute(**document["compute"]), walk)


def _describe(snapshot: Snapshot) -> dict[str, Any]:
    return {
        "step": snapshot.step,
        "kl_nats": snapshot.kl_nats,
        "budgets_nats": list(snapshot.budgets_nats),
        "compute": snapshot.compute._asdict(),
    }


def _file_name(step: int) -> str:
    return f"step_{step:06d}.safetensors"


def _write_policy(path: Path, state: Mapping[str, Tensor]) -> None:
    """Write weights once; a file that is there was written whole, as it appears by a rename."""
    if path.exists():
        return
    draft = path.with_suffix(".part")
    # tied weights are one tensor under two names, which the format refuses
    save_file({name: value.clone() for name, value in state.items()}, draft)
    draft.replace(path)


def _forget_policies(policies: Path) -> None:
    """Remove the weights that no sealed checkpoint lists."""
    wanted = set()
    for manifest in policies.parent.glob(f"checkpoint-*/{_MANIFEST}"):
        wanted |= {Path(name).name for name in _read_hashes(manifest)}
    for path in policies.iterdir():
        if path.name not in wanted:
            path.unlink()


def _is_whole(checkpoint: Path) -> bool:
    manifest = checkpoint / _MANIFEST
    hashes = _read_hashes(manifest)
    paths = {checkpoint / name: expected for name, expected in hashes.items()}
    return bool(hashes) and all(
        path.is_file() and _sha256(path) == expected for path, expected in paths.items()
    )


def _read_hashes(manifest: Path) -> dict[str, str]:
    """What a manifest lists; nothing where it is missing or broken."""
    try:
        hashes = json.loads(manifest.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return hashes if isinstance(hashes, dict) else {}


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _write_text(path: Path, text: str) -> None:
    draft = path.with_suffix(".part")
    with draft.open("w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    draft.replace(path)
