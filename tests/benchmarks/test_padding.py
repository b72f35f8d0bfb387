"""What rows of similar length save: positions computed in vain, and time, on the default language.

``pytest tests/benchmarks/test_padding.py`` prints seconds of one thread's processor time; compare
within a group. ``--benchmark-json`` holds ``waste`` beside: the fraction of the positions that went
through the model and were padding. Nothing asserts on time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture
from transformers import PreTrainedModel

from overopt.catalog import toml_files
from overopt.models import sequences
from overopt.models.logprobs import response_logps
from overopt.models.sequences import Index, join, shuffle_batches
from overopt.models.starts.scratch import build_policy
from overopt.worlds.contract import build, lexicon
from overopt.worlds.tokens import Tokens

ROWS, BATCH, TOGETHER = 512, 64, 256
Batches = Callable[[Tokens, Tokens], list[Index]]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def work() -> tuple[PreTrainedModel, Tokens, Tokens]:
    """A policy of the default task, prompts, and responses as its initial policy learns them."""
    task = toml_files.load_task("reviews", {})
    world = build(task.world)
    prompts = world.train_prompts.take(np.arange(ROWS))
    responses = world.references(prompts, np.random.default_rng(0))
    longest = int(prompts.length_N.max()) + world.response_tokens_max
    words = lexicon(world)
    assert isinstance(words, tuple)
    assert task.policy.architecture is not None
    policy = build_policy(task.policy.architecture, len(words), longest, seed=0)
    return policy, prompts, responses


def at_random(prompts: Tokens, responses: Tokens) -> list[Index]:
    order_N = np.random.default_rng(1).permutation(prompts.rows())
    return np.array_split(order_N, prompts.rows() // BATCH)


def by_length(prompts: Tokens, responses: Tokens) -> list[Index]:
    length_N = prompts.length_N + responses.length_N
    return shuffle_batches(length_N, BATCH, np.random.default_rng(1))


def as_drawn(prompts: Tokens, responses: Tokens) -> list[Index]:
    return np.array_split(np.arange(prompts.rows()), prompts.rows() // TOGETHER)


def learn(policy: PreTrainedModel, prompts: Tokens, responses: Tokens, batches: Batches) -> None:
    """A gradient of every batch, without a step."""
    for index_B in batches(prompts, responses):
        batch = join(prompts.take(index_B), responses.take(index_B))
        torch.autograd.backward(response_logps(policy, batch).sum())
    policy.zero_grad()


def waste(prompts: Tokens, responses: Tokens, batches: Batches) -> float:
    """Fraction of all positions that are padding, as the batches go through the model."""
    tokens = positions = 0
    for index_B in batches(prompts, responses):
        batch = join(prompts.take(index_B), responses.take(index_B))
        tokens += int(batch.attention_BL.sum())
        positions += sum(
            len(rows_P) * length for rows_P, length in sequences.split_by_length(batch)
        )
    return 1 - tokens / positions


def measure(benchmark: BenchmarkFixture, work: Any, batches: Batches) -> float:
    policy, prompts, responses = work
    timed: Any = benchmark
    timed.pedantic(learn, (policy, prompts, responses, batches), rounds=3, warmup_rounds=1)
    lost = waste(prompts, responses, batches)
    benchmark.extra_info["waste"] = lost
    return lost


@pytest.mark.parametrize("batches", [at_random, by_length])
@pytest.mark.benchmark(group="padding: batches to learn from", timer=time.process_time)
def test_training(
    benchmark: BenchmarkFixture,
    work: Any,
    batches: Batches,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sequences, "_PARTS_MAX", 1)
    lost = measure(benchmark, work, batches)
    assert lost < 0.1 if batches is by_length else lost > 0.15


@pytest.mark.parametrize("parts", [1, 4])
@pytest.mark.benchmark(group="padding: fresh samples of a step", timer=time.process_time)
def test_fresh_samples(
    benchmark: BenchmarkFixture, work: Any, parts: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sequences, "_PARTS_MAX", parts)
    lost = measure(benchmark, work, as_drawn)
    assert lost > 0.15 if parts == 1 else lost < 0.15
