"""A policy of a few thousand weights over twelve words, its prompts, and pairs of a clear taste."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from transformers import PreTrainedModel

from overopt.engines.contract import Randomness, Reward, RunInputs
from overopt.engines.walk.kl_probe import KLProbe
from overopt.execution.contract import Progress, silent
from overopt.models.sampling import sample
from overopt.models.starts.scratch import build_policy
from overopt.spec.pairs import PairsSpec
from overopt.spec.rollout import RolloutSpec
from overopt.spec.training import ArchitectureSpec
from overopt.worlds.preferences import Preferences
from overopt.worlds.tokens import BOS, SEP, Tokens

VOCABULARY_SIZE = 12
CONTEXT_TOKENS = 16
MAX_NEW_TOKENS = 6
LIKED = 7

PAIRS = PairsSpec(
    learning_rate=3e-3, batch_size=16, max_steps=60, warmup_steps=4, max_gradient_norm=1.0
)
ROLLOUT = RolloutSpec(
    learning_rate=3e-3,
    prompts_per_step=8,
    samples_per_prompt=4,
    max_steps=60,
    warmup_steps=4,
    max_gradient_norm=1.0,
)


def policy(seed: int = 0) -> PreTrainedModel:
    """A freshly initialized policy."""
    architecture = ArchitectureSpec(layers=1, width=16, heads=2)
    return build_policy(architecture, VOCABULARY_SIZE, CONTEXT_TOKENS, seed).eval()


def twin(model: PreTrainedModel) -> PreTrainedModel:
    """A copy whose weights move on their own."""
    return copy.deepcopy(model)


def run_inputs(
    policy: PreTrainedModel,
    reference: PreTrainedModel,
    budgets_nats: Sequence[float] = (),
    seed: int = 0,
    taste: Reward | None = None,
    progress: Progress = silent,
) -> RunInputs:
    """What a run of any family is given; the reward is the liked word's share by default."""
    return RunInputs(
        policy=policy,
        reference=reference,
        prompts=prompts(),
        preferences=preferences(twin(reference)),
        reward=reward if taste is None else taste,
        max_new_tokens=MAX_NEW_TOKENS,
        budgets_nats=budgets_nats,
        randomness=Randomness(np.random.default_rng(seed), torch.Generator().manual_seed(seed)),
        kl_probe=KLProbe(prompts(16), 2, MAX_NEW_TOKENS, seed=3),
        progress=progress,
    )


def prompts(rows: int = 24) -> Tokens:
    """Prompts of one to three words."""
    rng = np.random.default_rng(1)
    length_N = rng.integers(1, 4, rows)
    words = rng.integers(4, VOCABULARY_SIZE, (rows, 3))
    return Tokens.from_flat(
        np.concatenate(
            [[BOS, *line[:length], SEP] for line, length in zip(words, length_N, strict=True)]
        ),
        length_N + 2,
    )


def reward(asked: Tokens, responses: Tokens) -> npt.NDArray[np.float64]:
    """Fraction of a response's tokens that are the liked word."""
    return np.asarray((responses.ids_NT == LIKED).sum(1) / responses.length_N, np.float64)


def preferences(model: PreTrainedModel, rows: int = 64) -> Preferences:
    """Two samples for each prompt; the one with the greater share of the liked word is chosen."""
    asked = prompts(rows)
    drawn = sample(model, asked, 2, MAX_NEW_TOKENS, torch.Generator().manual_seed(5)).responses
    first_P = 2 * np.arange(rows)
    a, b = drawn.take(first_P), drawn.take(first_P + 1)
    swap_P = reward(asked, b) > reward(asked, a)
    chosen_P = first_P + swap_P
    rejected_P = first_P + 1 - swap_P
    return Preferences(asked, drawn.take(chosen_P), drawn.take(rejected_P))
