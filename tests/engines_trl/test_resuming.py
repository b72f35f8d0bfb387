"""A killed run goes on from its newest whole checkpoint, and ends as if it had not been killed.

With this package's sampler that holds to the bit. With transformers' or vLLM's it does not: they
draw from generators of their own, so the responses after a kill are others.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from engines import tiny
from overopt.engines.pair_data import PairsRow
from overopt.engines.trl.checkpoints import newest_whole, read_run_state
from overopt.engines.walk.trajectory import Trajectory
from overopt.execution.contract import Progress, silent
from overopt.methods.contract.training import AfterStep, Weights
from overopt.methods.merge import warp
from overopt.methods.pairs import dpo, sparsepo, tr_dpo
from overopt.methods.rollout import elastic_reset, ppo, rloo

from . import runs

Run = Callable[[Path, Progress], Trajectory]
BUDGETS = (0.05, 50.0)


class Killed(Exception):
    pass


def pairs(folder: Path, progress: Progress) -> Trajectory:
    settings = tiny.PAIRS.model_copy(update={"max_steps": 11})
    where = runs.setup(folder, checkpoint_steps=3)
    return runs.pairs_in_trl(dpo, dpo.Config(), BUDGETS, settings, where, progress)


def rollouts(folder: Path, progress: Progress) -> Trajectory:
    settings = tiny.ROLLOUT.model_copy(update={"max_steps": 11, "prompts_per_step": 10})
    where = runs.setup(folder, checkpoint_steps=3)
    return runs.rollouts_in_trl(rloo, rloo.Config(), BUDGETS, settings, where, progress)


def step_of(text: str) -> int:
    return int(text.partition("step ")[2].split(",")[0])


def kill_after(step: int) -> Progress:
    def progress(fraction: float, text: str) -> None:
        if step_of(text) == step:
            raise Killed

    return progress


def assert_identical(whole: Trajectory, resumed: Trajectory) -> None:
    assert resumed.rows == whole.rows
    assert resumed.compute == whole.compute
    assert resumed.unreached_nats == whole.unreached_nats
    kept = [(one.step, one.kl_nats, one.budgets_nats) for one in whole.snapshots]
    assert [(one.step, one.kl_nats, one.budgets_nats) for one in resumed.snapshots] == kept
    for one, other in zip(whole.snapshots, resumed.snapshots, strict=True):
        ours, theirs = dict(one.state.items()), dict(other.state.items())
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[name], theirs[name]) for name in ours)


@cache
def whole_run(run: Run) -> Trajectory:
    with tempfile.TemporaryDirectory() as folder:
        return run(Path(folder), silent)


@pytest.mark.parametrize("run", [pairs, rollouts])
def test_a_killed_run_ends_like_one_that_was_not(run: Run, tmp_path: Path) -> None:
    whole = whole_run(run)
    with pytest.raises(Killed):
        run(tmp_path / "killed", kill_after(8))
    assert newest_whole(tmp_path / "killed") == tmp_path / "killed" / "checkpoint-6"
    seen: list[int] = []
    resumed = run(tmp_path / "killed", lambda fraction, text: seen.append(step_of(text)))
    assert seen[0] in (6, 7)  # what comes first after the sixth step
    assert_identical(whole, resumed)


@pytest.mark.parametrize("run", [pairs, rollouts])
@pytest.mark.parametrize("damage", ["cut short", "missing", "unsealed"])
def test_a_damaged_checkpoint_gives_way_to_the_one_before(
    run: Run, damage: str, tmp_path: Path
) -> None:
    whole = whole_run(run)
    with pytest.raises(Killed):
        run(tmp_path / "killed", kill_after(8))
    newest = tmp_path / "killed" / "checkpoint-6"
    if damage == "cut short":
        weights = (newest / "model.safetensors").read_bytes()
        (newest / "model.safetensors").write_bytes(weights[:-1])
    elif damage == "missing":
        (newest / "optimizer.pt").unlink()
    else:
        (newest / "manifest.json").unlink()
    seen: list[int] = []
    resumed = run(tmp_path / "killed", lambda fraction, text: seen.append(step_of(text)))
    assert seen[0] in (3, 4)
    assert_identical(whole, resumed)


def belongings(name: str) -> Run:
    """A run of a method that keeps more than a policy."""
    rollout = tiny.ROLLOUT.model_copy(update={"max_steps": 11})
    supplied: dict[str, tuple[ModuleType, Any]] = {
        "minibatches": (ppo, ppo.Config(epochs=2, minibatches=2)),
        "resets": (elastic_reset, elastic_reset.Config(reset_steps=3, decay=0.7, epochs=2)),
        "anchor": (warp, warp.Config(mu=0.2)),
        "masks": (sparsepo, sparsepo.Config()),
        "anchor of pairs": (tr_dpo, tr_dpo.Config(sync_steps=2)),
    }
    method, config = supplied[name]

    def run(folder: Path, progress: Progress) -> Trajectory:
        where = runs.setup(folder, checkpoint_steps=3)
        if name in ("masks", "anchor of pairs"):
            pairs = tiny.PAIRS.model_copy(update={"max_steps": 11})
            return runs.pairs_in_trl(method, config, BUDGETS, pairs, where, progress)
        return runs.rollouts_in_trl(method, config, BUDGETS, rollout, where, progress)

    return run


@pytest.mark.parametrize(
    ("name", "paused"),
    [("minibatches", 8), ("resets", 6), ("anchor", 6), ("masks", 6), ("anchor of pairs", 6)],
)
def test_module_memory_and_anchor_go_through_checkpoints(
    name: str, paused: int, tmp_path: Path
) -> None:
    run = belongings(name)
    whole = run(tmp_path / "whole", silent)
    with pytest.raises(Killed):
        run(tmp_path / "killed", kill_after(8))
    # one that falls due within a rollout waits until nothing is left to be learned from it
    newest = newest_whole(tmp_path / "killed")
    assert newest == tmp_path / "killed" / f"checkpoint-{paused}"
    seen: list[int] = []
    resumed = run(tmp_path / "killed", lambda fraction, text: seen.append(step_of(text)))
    assert seen[0] >= paused
    assert_identical(whole, resumed)


class Diary:
    """A memory that nobody but its method knows how to write."""

    steps = 0


def test_a_memory_that_cannot_be_written_means_starting_anew(tmp_path: Path) -> None:
    def after_step(config: Any, memory: Diary, weights: Weights, step: int) -> AfterStep:
        memory.steps += 1
        assert memory.steps == step
        return AfterStep(memory)

    method: Any = ModuleType("overopt.methods.diary")
    vars(method).update(loss=dpo.loss, begin=lambda config, initial: Diary(), after_step=after_step)
    settings = tiny.PAIRS.model_copy(update={"max_steps": 5})
    where = runs.setup(tmp_path, checkpoint_steps=2)
    with pytest.raises(Killed):
        runs.pairs_in_trl(method, dpo.Config(), (), settings, where, kill_after(4))
    assert newest_whole(tmp_path) is None
    plain = runs.pairs_natively(dpo, dpo.Config(), (), settings)
    again = runs.pairs_in_trl(method, dpo.Config(), (), settings, where)
    losses = [row.loss for row in plain.rows]
    assert [row.loss for row in again.rows] == pytest.approx(losses, rel=1e-4)


def test_a_damaged_kept_policy_spoils_the_checkpoints_that_need_it(tmp_path: Path) -> None:
    with pytest.raises(Killed):
        pairs(tmp_path / "killed", kill_after(8))
    early = read_run_state(tmp_path / "killed" / "checkpoint-3", PairsRow).walk.kept[0]
    policy = tmp_path / "killed" / "policies" / f"step_{early.step:06d}.safetensors"
    policy.write_bytes(policy.read_bytes()[:-1] + b"?")
    assert newest_whole(tmp_path / "killed") is None
    assert not policy.exists()
    assert_identical(pairs(tmp_path / "whole", silent), pairs(tmp_path / "killed", silent))


def test_policies_that_no_checkpoint_needs_are_forgotten(tmp_path: Path) -> None:
    pairs(tmp_path, silent)
    sealed = [json.loads(path.read_text()) for path in tmp_path.glob("checkpoint-*/manifest.json")]
    assert len(sealed) == 2
    wanted = {Path(name).name for hashes in sealed for name in hashes if "policies" in name}
    assert {path.name for path in (tmp_path / "policies").iterdir()} == wanted
