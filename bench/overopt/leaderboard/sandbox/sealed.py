"""The stage that runs a method behind walls, in the place of ``optimize``.

What comes out is judged as a stranger's: weights have the initial policy's names, shapes and types
and are finite; the record fits a strict schema and names these weights. What later stages measure,
they measure on the weights, outside, with prompts, gold and random numbers that were never inside.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError

from overopt.artifacts.tables import write_json
from overopt.errors import UserError
from overopt.execution.contract import Progress
from overopt.leaderboard.sandbox.delivery import Frame
from overopt.leaderboard.sandbox.launch import Order, Used, confine
from overopt.leaderboard.sandbox.limits import Limits
from overopt.leaderboard.sandbox.parcel import pack, why_not
from overopt.leaderboard.sandbox.training import ENTRY, PARCEL, RECORD
from overopt.leaderboard.sandbox.walls import SCRATCH
from overopt.leaderboard.sandbox.weights import read_weights
from overopt.models.folders import save_model
from overopt.models.policy import load_policy
from overopt.spec.explanations import explain
from overopt.spec.frozen import Spec
from overopt.stages.trajectory import folder_of
from overopt.worlds.contract import lexicon, world_of

MOST_SNAPSHOTS = 64
LARGEST_RECORD_BYTES = 1 << 20
_Count = Annotated[int, Field(ge=0, le=10**12)]
_Nats = Annotated[float, Field(ge=-1e6, le=1e6)]


class _Snapshot(Spec):
    step: Annotated[int, Field(ge=0, le=999_999)]
    folder: str
    kl_cheap_nats: _Nats
    kl_target_nats: _Nats | None
    shared_kl_targets_nats: tuple[_Nats, ...] = Field(max_length=MOST_SNAPSHOTS)
    gradient_steps: _Count
    samples_drawn: _Count
    tokens_processed: _Count


class _Record(Spec):
    snapshots: tuple[_Snapshot, ...] = Field(max_length=MOST_SNAPSHOTS)
    unreached_kl_nats: tuple[_Nats, ...] = Field(max_length=MOST_SNAPSHOTS)
    gradient_steps: _Count
    samples_drawn: _Count
    tokens_processed: _Count


def run(params: dict[str, Any], inputs: dict[str, Path], out: Path, progress: Progress) -> None:
    """Run a method behind walls, and write what ``optimize`` would write of its weights.

    Raises:
        UserError: the system has no walls, the run cannot be sealed, the method failed or went
            beyond a limit, or what came out is not allowed.
    """
    world = world_of(params)
    name = params["method"]["name"]
    reason = why_not(params, inputs, world)
    if reason is not None:
        raise UserError(f"{name} cannot be run behind walls: {reason}; verify it up to tier T2.")
    files: dict[str, bytes] = {}

    def take(frame: Frame) -> None:
        if frame.kind == "progress":
            progress(*_told(frame))
        else:
            files[str(frame.head.get("name"))[:100]] = frame.body

    with tempfile.TemporaryDirectory(prefix="overopt-parcel-") as place:
        folder = Path(place)
        told = pack(folder, params, inputs, world)
        arguments = {"params": told, "roles": sorted(inputs), "parcel": PARCEL, "scratch": SCRATCH}
        order = Order(ENTRY, arguments, {folder: PARCEL}, Limits())
        used = confine(order, take)
    _write(out, files, inputs, params, used, world)


def _told(frame: Frame) -> tuple[float, str]:
    fraction, text = frame.head.get("fraction"), frame.head.get("text")
    known = isinstance(fraction, int | float) and 0 <= fraction <= 1
    return (float(fraction) if known and fraction is not None else 0.0, str(text)[:200])


def _write(
    out: Path,
    files: dict[str, bytes],
    inputs: dict[str, Path],
    params: dict[str, Any],
    used: Used,
    world: Any,
) -> None:
    name = params["method"]["name"]
    record = _read_record(files.pop(RECORD, b""), name, [float(k) for k in params["kl_grid_nats"]])
    policy = load_policy(inputs["initial"] / "model")
    wanted = {one: tensor.clone() for one, tensor in policy.state_dict().items()}
    steps = {snapshot.step for snapshot in record.snapshots}
    if set(files) != {f"step_{step:06d}.safetensors" for step in steps}:
        raise UserError(f"{name} handed over other weights than its record names.")
    for snapshot in record.snapshots:
        content = files[f"step_{snapshot.step:06d}.safetensors"]
        policy.load_state_dict(read_weights(content, wanted, f"{name}, step {snapshot.step}"))
        save_model(policy, out / folder_of(snapshot.step), lexicon(world))
    written = record.to_json()
    for one in written["snapshots"]:
        one["folder"] = folder_of(one["step"])
    write_json(out / "optimize.json", written)
    write_json(
        out / "sealed.json",
        {"wall_s": used.wall_s, "cpu_s": used.cpu_s, "peak_bytes": used.peak_bytes},
    )


def _read_record(content: bytes, name: str, budgets_nats: list[float]) -> _Record:
    if not 0 < len(content) <= LARGEST_RECORD_BYTES:
        raise UserError(f"{name} handed over no record of its run, or one that is too long.")
    try:
        record = _Record.model_validate_json(content)
    except ValidationError as error:
        raise UserError(explain(error, f"the record of {name}", _Record)) from error
    steps = [snapshot.step for snapshot in record.snapshots]
    if steps != sorted(set(steps)):
        raise UserError(f"the record of {name}: its steps must rise.")
    claimed = [
        one
        for snapshot in record.snapshots
        for one in (snapshot.kl_target_nats, *snapshot.shared_kl_targets_nats)
        if one is not None
    ]
    if sorted([*claimed, *record.unreached_kl_nats]) != sorted(set(budgets_nats)):
        raise UserError(
            f"the record of {name} must name each KL budget once, as reached or not reached."
        )
    return record
