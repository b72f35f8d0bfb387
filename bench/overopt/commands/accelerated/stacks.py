"""Steps of methods on stacks of policies, against the native engine on one core."""

from __future__ import annotations

import copy
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from accelerate import PartialState
from torch import Tensor
from transformers import PreTrainedModel

from overopt.commands.accelerated.rewards import untrained_reward
from overopt.engines.contract import Randomness, RunInputs
from overopt.execution.code.modules import load
from overopt.execution.contract import silent
from overopt.models.starts.scratch import start_policy
from overopt.spec.method import MethodSpec
from overopt.spec.task import TaskSpec
from overopt.stages.imitation import imitate
from overopt.worlds.contract import World, build
from overopt.worlds.preferences import Preferences

_REPEATS = 3
_EXAMPLES = 2048
"""Texts that the policy learns from, so that its samples have a usual length."""


class StackRow(NamedTuple):
    """A stack of so many policies.

    native_s: seconds of a native step on one core, of one cell. step_s: of one step of all cells of
    the stack. ratio: cells x steps a second over the native engine's on one core. peak_bytes: of
    the accelerator; None on the CPU.
    """

    method: str
    width: int
    native_s: float
    step_s: float
    ratio: float
    peak_bytes: int | None


class _Standing:
    """In place of a KL probe, which is no part of a step."""

    def __call__(self, policy: PreTrainedModel, reference: PreTrainedModel, /) -> float:
        return 0.0

    def of_weights(self, reference: PreTrainedModel, /) -> Callable[[Mapping[str, Tensor]], float]:
        return lambda state: 0.0


def measure_stacks(
    task: TaskSpec, methods: Sequence[MethodSpec], widths: Sequence[int], steps: int, device: str
) -> Iterator[StackRow]:
    """Time stacks of the task's policies, row by row, each method with the native engine first.

    The policy has seen some reference texts, which also stand in for pairs; reward models are as
    they are made. On an accelerator by the clock, on the CPU by processor time of one thread, which
    a busy machine does not stretch as much. Medians of three.

    Args:
        task: of a generated world.
        methods: resolved, of families that stacks train.
        widths: of stacks.
        steps: gradient steps of each measurement.
        device: cuda or cpu.
    """
    torch.set_num_threads(1)
    PartialState(cpu=True)  # or accelerate would place the native engine where the stack is
    cells = _cells(task, max(widths))
    for method in methods:
        yield from _rows(method, task, cells, widths, steps, device)


def _rows(
    method: MethodSpec,
    task: TaskSpec,
    cells: Callable[[int], list[RunInputs]],
    widths: Sequence[int],
    steps: int,
    device: str,
) -> Iterator[StackRow]:
    """The rows of a method."""
    of_family = task.pairs if method.trains == "pairs" else task.rollout
    settings = of_family.model_copy(update={"max_steps": steps}).to_json()
    native = load("engines", method.trains).optimize
    stacked = load("engines.stacked", method.trains).optimize
    native_s = _typical(lambda: native(method, settings, cells(1)[0]), "cpu") / steps

    def train(width: int) -> None:
        stacked(method, settings, cells(width), width, None, silent)

    for width in widths:
        if device == "cuda":
            torch.cuda.reset_peak_memory_stats()
        stacked_s = _typical(partial(train, width), device) / steps
        peak = torch.cuda.max_memory_allocated() if device == "cuda" else None
        yield StackRow(method.name, width, native_s, stacked_s, width * native_s / stacked_s, peak)


def _cells(task: TaskSpec, most: int) -> Callable[[int], list[RunInputs]]:
    """Makes the first cells anew: same policy; other pairs, reward model and draws for each."""
    world = build(task.world)
    policy, proxy = _policy(task, world), task.proxy.architecture
    assert proxy is not None, "a generated world's proxies have one"
    rng = np.random.default_rng(0)
    pairs, rewards = [], []
    for place in range(most):
        asked = rng.integers(world.train_prompts.rows(), size=task.proxy.comparisons)
        prompts = world.train_prompts.take(asked)
        sides = [world.references(prompts, rng) for _ in range(2)]
        pairs.append(Preferences(prompts, *sides))
        rewards.append(untrained_reward(proxy, world, place))

    def make(count: int) -> list[RunInputs]:
        return [
            RunInputs(
                policy=copy.deepcopy(policy),
                reference=copy.deepcopy(policy),
                prompts=world.train_prompts,
                preferences=pairs[place],
                reward=rewards[place],
                max_new_tokens=world.response_tokens_max,
                budgets_nats=(),
                randomness=Randomness(
                    np.random.default_rng(place), torch.Generator().manual_seed(place)
                ),
                kl_probe=_Standing(),
                progress=silent,
            )
            for place in range(count)
        ]

    return make


def _policy(task: TaskSpec, world: World) -> PreTrainedModel:
    """The task's policy, taught a little."""
    architecture, training = task.policy.architecture, task.policy.training
    assert architecture is not None and training is not None, "a generated world's policy has them"
    policy = start_policy(architecture, world, 0)
    examples = min(task.policy.examples, _EXAMPLES)
    once = training.model_copy(update={"epochs": 1})
    imitate(policy, world, examples, once, (0, "stacks"), silent)
    return policy.eval().cpu()


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
