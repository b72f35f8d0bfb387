"""Speed of the models' hot paths at the size of the default task; compare within a group.

Processor time, so that a busy machine does not change the comparison.
``pytest tests/benchmarks/test_sampling.py`` prints the native sampler beside ``generate`` on the
same policy and prompts, and tokens per second of sampling, log-probabilities, rewards and training.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture
from transformers import PreTrainedModel

from overopt.models.language_fitting import train_language_model
from overopt.models.logprobs import kl_statistics, score_logps
from overopt.models.rewards.reward import score
from overopt.models.rewards.reward_fitting import train_reward
from overopt.models.sampling import sample
from overopt.models.starts.scratch import build_policy, build_reward
from overopt.spec.training import ArchitectureSpec, TrainingSpec
from overopt.worlds.preferences import Preferences
from overopt.worlds.tokens import BOS, PAD, SEP, Tokens

ARCHITECTURE = ArchitectureSpec(layers=2, width=64, heads=4)
VOCABULARY_SIZE, CONTEXT_TOKENS = 100, 48
PROMPTS, SAMPLES, NEW_TOKENS = 128, 8, 28
TRAINING = TrainingSpec.model_validate({"learning_rate": 1e-4, "batch_size": 64, "epochs": 1})


class Setting(NamedTuple):
    """A policy, its prompts, and its samples with the prompt of each row."""

    policy: PreTrainedModel
    prompts: Tokens
    rows: Tokens
    responses: Tokens

    @property
    def tokens(self) -> int:
        """Tokens of all rows, prompts included."""
        return int((self.rows.length_N + self.responses.length_N).sum())


@pytest.fixture(scope="module")
def setting() -> Setting:
    rng = np.random.default_rng(0)
    length_N = rng.integers(5, 10, PROMPTS)
    words = [[BOS, *rng.integers(4, VOCABULARY_SIZE, n - 2), SEP] for n in length_N]
    prompts = Tokens.from_flat(np.concatenate(words), length_N)
    policy = build_policy(ARCHITECTURE, VOCABULARY_SIZE, CONTEXT_TOKENS, 0).eval()
    drawn = sample(policy, prompts, SAMPLES, NEW_TOKENS, torch.Generator().manual_seed(0))
    rows = prompts.take(np.repeat(np.arange(PROMPTS), SAMPLES))
    return Setting(policy, prompts, rows, drawn.responses)


def _measure(benchmark: BenchmarkFixture, work: Callable[[], object], tokens: int) -> None:
    """Three rounds after a warm-up, and the rate of the median one."""
    measure: Callable[..., object] = benchmark.pedantic
    measure(work, rounds=3, warmup_rounds=1)
    if benchmark.stats is not None:  # None where tests run side by side: no clock is kept then
        benchmark.extra_info["tokens_per_s"] = round(tokens / benchmark.stats.stats.median)


@pytest.mark.benchmark(group="sampling", timer=time.process_time)
def test_native_sampler(benchmark: BenchmarkFixture, setting: Setting) -> None:
    def work() -> object:
        generator = torch.Generator().manual_seed(1)
        return sample(setting.policy, setting.prompts, SAMPLES, NEW_TOKENS, generator)

    _measure(benchmark, work, int(setting.responses.length_N.sum()))


@pytest.mark.benchmark(group="sampling", timer=time.process_time)
def test_transformers_generate(benchmark: BenchmarkFixture, setting: Setting) -> None:
    width = setting.rows.ids_NT.shape[1]
    left_NT = np.zeros_like(setting.rows.ids_NT, dtype=np.int64)
    left_NT[(np.arange(width) >= width - setting.rows.length_N[:, None])] = setting.rows.flat()
    left = torch.from_numpy(left_NT)

    def work() -> object:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(1)
            return setting.policy.generate(
                left, attention_mask=(left != PAD).long(), max_new_tokens=NEW_TOKENS
            )

    _measure(benchmark, work, int(setting.responses.length_N.sum()))


@pytest.mark.benchmark(group="rows", timer=time.process_time)
def test_log_probabilities(benchmark: BenchmarkFixture, setting: Setting) -> None:
    _measure(
        benchmark,
        lambda: score_logps(setting.policy, setting.rows, setting.responses),
        setting.tokens,
    )


@pytest.mark.benchmark(group="rows", timer=time.process_time)
def test_kl_statistics(benchmark: BenchmarkFixture, setting: Setting) -> None:
    reference = build_policy(ARCHITECTURE, VOCABULARY_SIZE, CONTEXT_TOKENS, 1)
    _measure(
        benchmark,
        lambda: kl_statistics(setting.policy, reference, setting.rows, setting.responses),
        setting.tokens,
    )


@pytest.mark.benchmark(group="rows", timer=time.process_time)
def test_reward_scores(benchmark: BenchmarkFixture, setting: Setting) -> None:
    model = build_reward(ARCHITECTURE, VOCABULARY_SIZE, CONTEXT_TOKENS, 2)
    _measure(benchmark, lambda: score(model, setting.rows, setting.responses), setting.tokens)


@pytest.mark.benchmark(group="training", timer=time.process_time)
def test_language_model_steps(benchmark: BenchmarkFixture, setting: Setting) -> None:
    model = build_policy(ARCHITECTURE, VOCABULARY_SIZE, CONTEXT_TOKENS, 3)

    def work() -> object:
        rng = np.random.default_rng(0)
        return train_language_model(model, setting.rows, setting.responses, TRAINING, rng)

    _measure(benchmark, work, setting.tokens)


@pytest.mark.benchmark(group="training", timer=time.process_time)
def test_bradley_terry_steps(benchmark: BenchmarkFixture, setting: Setting) -> None:
    model = build_reward(ARCHITECTURE, VOCABULARY_SIZE, CONTEXT_TOKENS, 4)
    first_P = np.arange(0, setting.rows.rows(), 2)
    preferences = Preferences(
        setting.rows.take(first_P),
        setting.responses.take(first_P),
        setting.responses.take(first_P + 1),
    )

    def work() -> object:
        rng = np.random.default_rng(0)
        return train_reward(model, preferences, preferences.take(np.arange(2)), TRAINING, rng)

    _measure(benchmark, work, setting.tokens)
