"""Cells that sample and learn in a stack against the same cells trained alone by the native engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import numpy.typing as npt
import pytest
import torch

from overopt.engines.contract import RunInputs
from overopt.engines.method.rollout import OpenedRollout
from overopt.engines.rollout import optimize_rollout
from overopt.engines.sample_data import RolloutRow
from overopt.engines.stacked.model import StackedPolicy, stack
from overopt.engines.stacked.rollout import optimize_stack
from overopt.engines.stacked.sampling import Asked, Ending, Span, sample_stack
from overopt.engines.stacked.stack import Outcome
from overopt.engines.walk.trajectory import Trajectory
from overopt.methods.rollout import ppo, rloo
from overopt.models.logprobs import suppressed_ids
from overopt.models.sampling import sample, stop_ids
from overopt.models.starts.scratch import build_policy
from overopt.models.weights import weights_of
from overopt.spec.training import ArchitectureSpec
from overopt.worlds.tokens import Tokens

from . import tiny

WIDTH = 3
SETTINGS = tiny.ROLLOUT.model_copy(update={"learning_rate": 1e-3, "max_steps": 24})


def cell(seed: int, budgets: tuple[float, ...] = (0.01, 0.04)) -> RunInputs:
    """A cell with draws, and a taste, of its own."""
    reference = tiny.policy()
    liked = 4 + seed % 8

    def taste(asked: Tokens, responses: Tokens) -> npt.NDArray[np.float64]:
        return np.asarray((responses.ids_NT == liked).sum(1) / responses.length_N, np.float64)

    return tiny.run_inputs(tiny.twin(reference), reference, budgets, seed, taste)


def opened(method: ModuleType = rloo, **config: float) -> OpenedRollout:
    return OpenedRollout(method, method.Config(**config))  # type: ignore[arg-type]


def run(
    seeds: Sequence[int], method: OpenedRollout | None = None, kept: Path | None = None
) -> list[Outcome]:
    return optimize_stack(method or opened(), SETTINGS, [cell(s) for s in seeds], WIDTH, kept=kept)


def rows_of(trajectory: Trajectory) -> list[RolloutRow]:
    return [row for row in trajectory.rows if isinstance(row, RolloutRow)]


def test_tmp() -> None:
    for m in (opened(), opened(ppo), opened(ppo, minibatches=2, epochs=2)):
        for seed, found in zip((0, 1), run([0, 1], m), strict=True):
            native = optimize_rollout(m, SETTINGS, cell(seed))
            print(found.error, native.unreached_nats, found.trajectory.unreached_nats, native.compute, found.trajectory.compute)
            for a, b in zip(found.trajectory.snapshots, native.snapshots): print(a.step,a.kl_nats,a.budgets_nats,b.step,b.kl_nats,b.budgets_nats)
            for a, b in zip(rows_of(found.trajectory), rows_of(native)):
                d = {k: (abs((v or 0)-(b._asdict()[k] or 0))) for k, v in a._asdict().items()}
                print(d)
