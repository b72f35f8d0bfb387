"""Steps of DPO on stacks of policies, against the native engine on one core."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel

from overopt.engines.contract import Randomness, RunInputs
from overopt.engines.method.loading import open_as
from overopt.engines.method.pairs import OpenedPairs
from overopt.execution.code.modules import load
from overopt.execution.contract import silent
from overopt.models.starts.scratch import start_policy
from overopt.spec.method import MethodSpec
from overopt.spec.pairs import PairsSpec
from overopt.spec.task import TaskSpec
from overopt.worlds.contract import build
from overopt.worlds.preferences import Preferences

_REPEATS = 3


class StackRow(NamedTuple):
    """A stack of so many policies.

    step_s: seconds of one step of all of them. ratio: cells x steps a second over the native
    engine's on one core. peak_bytes: of the accelerator; None on the CPU.
    """

    width: int
    step_s: float
    ratio: float
    peak_bytes: int | None


class StackTable(NamedTuple):
    """native_s: seconds of a native step on one core, of one cell."""

    native_s: float
    rows: tuple[StackRow, ...]


class _Standing:
    """In place of a KL probe, which is no part of a step."""

    def __call__(self, policy: PreTrainedModel, reference: PreTrainedModel, /) -> float:
        return 0.0

    def of_weights(self, reference: PreTrainedModel, /) -> Callable[[Mapping[str, Tensor]], float]:
        return lambda state: 0.0


def measure_stacks(
    task: TaskSpec, dpo: MethodSpec, widths: list[int], steps: int, device: str
) -> StackTable:
    """Time stacks of the task's policies, untrained, on reference texts in place of samples.

    On an accelerator by the clock, on the CPU by processor time of one thread, which a busy machine
    does not stretch as much. Medians of three.

    Args:
        task: of a generated world.
        dpo: the method, resolved.
        widths: of stacks.
        steps: of each measurement.
        device: cuda or cpu.
    """
    torch.set_num_threads(1)
    opened = open_as(OpenedPairs, dpo)
    settings = task.pairs.model_copy(update={"max_steps": steps})
    cells = _cells(task, max(widths))
    optimize_pairs = load("engines", "pairs").optimize_pairs
    native_s = _typical(lambda: optimize_pairs(opened, settings, cells(1)[0]), "cpu") / steps
    rows = []
    for width in widths:
        if device == "cuda":
            torch.cuda.reset_peak_memory_stats()
        stacked_s = _typical(partial(_train, opened, settings, cells, width, device), device)
        stacked_s /= steps
        peak = torch.cuda.max_memory_allocated() if device == "cuda" else None
        rows.append(StackRow(width, stacked_s, width * native_s / stacked_s, peak))
    return StackTable(native_s, tuple(rows))


def _train(
    opened: OpenedPairs,
    settings: PairsSpec,
    cells: Callable[[int], list[RunInputs]],
    width: int,
    device: str,
) -> None:
    optimize_stack = load("engines.stacked", "pairs").optimize_stack
    optimize_stack(opened, settings, cells(width), width, device=torch.device(device))


def _cells(task: TaskSpec, most: int) -> Callable[[int], list[RunInputs]]:
    """Makes the first cells anew: same policy, other pairs and order for each."""
    world = build(task.world)
    rng = np.random.default_rng(0)
    assert task.policy.architecture is not None, "a generated world's policy has one"
    architecture = task.policy.architecture
    data = []
    for _ in range(most):
        asked = rng.integers(world.train_prompts.rows(), size=task.proxy.comparisons)
        prompts = world.train_prompts.take(asked)
        sides = [world.references(prompts, rng) for _ in range(2)]
        data.append(Preferences(prompts, *sides))

    def make(count: int) -> list[RunInputs]:
        return [
            RunInputs(
                policy=start_policy(architecture, world, 0).eval(),
                reference=start_policy(architecture, world, 0).eval(),
                prompts=world.train_prompts,
                preferences=data[place],
                reward=None,
                max_new_tokens=world.response_tokens_max,
                budgets_nats=(),
                randomness=Randomness(np.random.default_rng(place), torch.Generator()),
                kl_probe=_Standing(),
                progress=silent,
            )
            for place in range(count)
        ]

    return make


def _typical(work: Callable[[], object], device: str) -> float:
    """Median seconds."""
    clock = time.perf_counter if device == "cuda" else time.process_time
    found = []
    for _ in range(_REPEATS):
        started_s = clock()
        work()
        if device == "cuda":
            torch.cuda.synchronize()
        found.append(clock() - started_s)
    return statistics.median(found)
