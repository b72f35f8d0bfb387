"""The tiny runs of the native engine's tests, on either engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from engines import tiny
from overopt.engines.kl_probe import KLProbe
from overopt.engines.kl_walk import Trajectory
from overopt.engines.pairs import optimize_pairs, score_reference
from overopt.engines.rollouts import optimize_rollouts
from overopt.engines.trl.pairs import optimize_pairs as optimize_pairs_trl
from overopt.engines.trl.rollout import optimize_rollouts as optimize_rollouts_trl
from overopt.engines.trl.training import Setup
from overopt.execution.contract import Progress
from overopt.models.folders import build_tokenizer
from overopt.spec.pairs import PairsSpec
from overopt.spec.rollout import RolloutSpec
from overopt.spec.trl import TrlSpec
from overopt.worlds.tokens import SPECIALS

Begin = Callable[[], PreTrainedModel]
"""Builds the initial policy."""


def silent(fraction: float, text: str) -> None:
    pass


@cache
def tokenizer() -> PreTrainedTokenizerBase:
    words = (f"w{word}" for word in range(len(SPECIALS), tiny.VOCABULARY_SIZE))
    return build_tokenizer((*SPECIALS, *words), tiny.CONTEXT_TOKENS)


def setup(folder: Path, **options: Any) -> Setup:
    """Options of the engine; without checkpoints unless these are asked for."""
    return Setup(TrlSpec(**{"checkpoint_steps": 0, **options}), tokenizer(), folder, seed=0)


def probe(policy: PreTrainedModel, reference: PreTrainedModel) -> float:
    return KLProbe(reference, tiny.prompts(16), 2, tiny.MAX_NEW_TOKENS, 3)(policy)


def pairs_natively(
    method: ModuleType,
    config: Any,
    budgets_nats: Sequence[float],
    settings: PairsSpec,
    begin: Begin = tiny.policy,
) -> Trajectory:
    start = begin()
    pairs = tiny.preferences(start)
    supplied: Any = method
    return optimize_pairs(
        supplied,
        config,
        settings,
        tiny.twin(start),
        pairs,
        score_reference(start, pairs),
        lambda policy: probe(policy, start),
        budgets_nats,
        np.random.default_rng(0),
        silent,
    )


def pairs_in_trl(
    method: ModuleType,
    config: Any,
    budgets_nats: Sequence[float],
    settings: PairsSpec,
    where: Setup,
    progress: Progress = silent,
    begin: Begin = tiny.policy,
) -> Trajectory:
    start = begin()
    supplied: Any = method
    return optimize_pairs_trl(
        supplied,
        config,
        settings,
        tiny.twin(start),
        tiny.twin(start),
        tiny.preferences(start),
        probe,
        budgets_nats,
        np.random.default_rng(0),
        progress,
        where,
    )


def rollouts_natively(
    method: ModuleType,
    config: Any,
    budgets_nats: Sequence[float],
    settings: RolloutSpec,
    begin: Begin = tiny.policy,
) -> Trajectory:
    start = begin()
    supplied: Any = method
    return optimize_rollouts(
        supplied,
        config,
        settings,
        tiny.twin(start),
        start,
        tiny.prompts(),
        tiny.reward,
        tiny.MAX_NEW_TOKENS,
        budgets_nats,
        torch.Generator().manual_seed(0),
        silent,
    )


def rollouts_in_trl(
    method: ModuleType,
    config: Any,
    budgets_nats: Sequence[float],
    settings: RolloutSpec,
    where: Setup,
    progress: Progress = silent,
    reward: Callable[..., Any] = tiny.reward,
    begin: Begin = tiny.policy,
) -> Trajectory:
    start = begin()
    supplied: Any = method
    return optimize_rollouts_trl(
        supplied,
        config,
        settings,
        tiny.twin(start),
        tiny.twin(start),
        tiny.prompts(),
        reward,
        tiny.MAX_NEW_TOKENS,
        budgets_nats,
        torch.Generator().manual_seed(0),
        progress,
        where,
    )
