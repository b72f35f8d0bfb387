"""Time of one gradient step, ours against TRL's stock trainers, on equal models and batches.

Every benchmark runs STEPS steps on a fresh copy of the same policy, built outside the clock, and
records ``ms_per_step``, the processor time of one thread; nothing here asserts on time. The two
engines of a pair do the same work: a DPO step on the same pairs (TRL runs its reference at every
step, as it does by default; ours has scored them once), and an RLOO step that samples, scores and
learns from as many responses. TRL's start of a training run is inside the clock, as our last
sampling is; both weigh less in a longer run.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from datasets import Dataset
from pytest_benchmark.fixture import BenchmarkFixture
from transformers import PreTrainedModel
from trl import DPOConfig, DPOTrainer, RLOOConfig, RLOOTrainer

from overopt.engines.native_pairs import PreferencePairs, optimise_pairs, score_reference
from overopt.engines.native_rollout import optimise_rollouts
from overopt.methods import dpo, rloo
from overopt.models.folders import build_tokenizer, save_model
from overopt.models.policy import build_policy
from overopt.spec import ArchitectureSpec, PairsSpec, RolloutSpec
from overopt.worlds.tokens import BOS, EOS, SEP, SPECIALS, Tokens

STEPS = 12
PAIRS_PER_STEP = 32
PROMPTS_PER_STEP = 8
SAMPLES_PER_PROMPT = 4
PROMPT_TOKENS = 8
RESPONSE_TOKENS = 24
LEARNING_RATE = 1e-4
VOCABULARY = (*SPECIALS, *(f"w{word}" for word in range(96)))
STOCK: dict[str, Any] = {
    "use_cpu": True,
    "bf16": False,
    "activation_checkpointing": False,
    "report_to": "none",
    "disable_tqdm": True,
    "save_strategy": "no",
    "logging_strategy": "no",
    "learning_rate": LEARNING_RATE,
    "max_steps": STEPS,
}


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def start() -> PreTrainedModel:
    architecture = ArchitectureSpec(layers=2, width=64, heads=4)
    context_tokens = PROMPT_TOKENS + RESPONSE_TOKENS
    return build_policy(architecture, len(VOCABULARY), context_tokens, seed=0).eval()


def words(rows: int, width: int, seed: int) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    return np.random.default_rng(seed).integers(4, len(VOCABULARY), (rows, width))


def prompts(rows: int) -> Tokens:
    column = np.ones((rows, 1), np.int64)
    middle = words(rows, PROMPT_TOKENS - 2, seed=1)
    return Tokens.from_padded(np.concatenate([BOS * column, middle, SEP * column], 1))


def responses(rows: int, seed: int) -> Tokens:
    column = np.full((rows, 1), EOS, np.int64)
    return Tokens.from_padded(
        np.concatenate([words(rows, RESPONSE_TOKENS - 1, seed=seed), column], 1)
    )


def text(tokens: Tokens) -> list[str]:
    return [" ".join(VOCABULARY[token] for token in line) for line in tokens.ids_NT.tolist()]


def preferences() -> PreferencePairs:
    rows = STEPS * PAIRS_PER_STEP
    return PreferencePairs(prompts(rows), responses(rows, 2), responses(rows, 3))


def ignore(fraction: float, words: str) -> None:
    pass


def record(benchmark: BenchmarkFixture, build: Callable[[], Callable[[], int]]) -> None:
    """Time the call that ``build`` returns; it must have taken STEPS steps."""
    timed: Any = benchmark
    taken = timed.pedantic(lambda run: run(), setup=lambda: ((build(),), {}), rounds=2)
    assert taken == STEPS
    if benchmark.stats is not None:
        benchmark.extra_info["ms_per_step"] = 1e3 * benchmark.stats.stats.min / STEPS


@pytest.mark.benchmark(group="DPO step", timer=time.process_time)
def test_native_dpo(benchmark: BenchmarkFixture, start: PreTrainedModel) -> None:
    pairs = preferences()
    reference_logps = score_reference(start, pairs)
    settings = PairsSpec(
        learning_rate=LEARNING_RATE,
        batch_size=PAIRS_PER_STEP,
        max_steps=STEPS,
        warmup_steps=0,
        max_gradient_norm=1.0,
    )

    def build() -> Callable[[], int]:
        policy = copy.deepcopy(start)

        def run() -> int:
            trajectory = optimise_pairs(
                dpo,
                dpo.Config(),
                settings,
                policy,
                pairs,
                reference_logps,
                lambda model: 1.0,
                (),
                np.random.default_rng(0),
                ignore,
            )
            return trajectory.compute.gradient_steps

        return run

    record(benchmark, build)


@pytest.mark.benchmark(group="DPO step", timer=time.process_time)
def test_stock_dpo(benchmark: BenchmarkFixture, start: PreTrainedModel, tmp_path: Path) -> None:
    pairs = preferences()
    rows = zip(text(pairs.prompts), text(pairs.chosen), text(pairs.rejected), strict=True)
    data = Dataset.from_list(
        [{"prompt": x, "chosen": f" {w}", "rejected": f" {r}"} for x, w, r in rows]
    )

    def build() -> Callable[[], int]:
        trainer = DPOTrainer(
            copy.deepcopy(start),
            ref_model=copy.deepcopy(start),
            args=DPOConfig(
                str(tmp_path), per_device_train_batch_size=PAIRS_PER_STEP, max_length=None, **STOCK
            ),
            train_dataset=data,
            processing_class=build_tokenizer(VOCABULARY, PROMPT_TOKENS + RESPONSE_TOKENS),
        )
        example = trainer.train_dataset[0]
        assert len(example["prompt_ids"]) == PROMPT_TOKENS
        assert len(example["chosen_ids"]) == RESPONSE_TOKENS
        return lambda: int(trainer.train().global_step)

    record(benchmark, build)


@pytest.mark.benchmark(group="RLOO step", timer=time.process_time)
def test_native_rloo(benchmark: BenchmarkFixture, start: PreTrainedModel) -> None:
    settings = RolloutSpec(
        learning_rate=LEARNING_RATE,
        prompts_per_step=PROMPTS_PER_STEP,
        samples_per_prompt=SAMPLES_PER_PROMPT,
        max_steps=STEPS,
        warmup_steps=0,
        max_gradient_norm=1.0,
    )
    asked = prompts(STEPS * PROMPTS_PER_STEP)

    def build() -> Callable[[], int]:
        policy, reference = copy.deepcopy(start), copy.deepcopy(start)

        def run() -> int:
            trajectory = optimise_rollouts(
                rloo,
                rloo.Config(beta=0.05),
                settings,
                policy,
                reference,
                asked,
                lambda prompts, drawn: drawn.length_N.astype(np.float64),
                RESPONSE_TOKENS,
                (),
                torch.Generator().manual_seed(0),
                ignore,
            )
            return trajectory.compute.gradient_steps

        return run

    record(benchmark, build)


@pytest.mark.benchmark(group="RLOO step", timer=time.process_time)
def test_stock_rloo(benchmark: BenchmarkFixture, start: PreTrainedModel, tmp_path: Path) -> None:
    folder = tmp_path / "start"
    save_model(start, folder, VOCABULARY)
    asked = [{"prompt": prompt} for prompt in text(prompts(STEPS * PROMPTS_PER_STEP))]

    def length(completion_ids: list[list[int]], **rest: object) -> list[float]:
        return [float(len(ids)) for ids in completion_ids]

    def build() -> Callable[[], int]:
        trainer = RLOOTrainer(
            str(folder),
            reward_funcs=length,
            args=RLOOConfig(
                str(tmp_path / "out"),
                per_device_train_batch_size=PROMPTS_PER_STEP * SAMPLES_PER_PROMPT,
                num_generations=SAMPLES_PER_PROMPT,
                max_completion_length=RESPONSE_TOKENS,
                beta=0.05,
                **STOCK,
            ),
            train_dataset=Dataset.from_list(asked),
            processing_class=build_tokenizer(VOCABULARY, PROMPT_TOKENS + RESPONSE_TOKENS),
        )
        return lambda: int(trainer.train().global_step)

    record(benchmark, build)
