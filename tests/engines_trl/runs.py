"""The tiny runs of the native engine's tests, on either engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from engines import tiny
from overopt.engines.method.opened import Named, Opened
from overopt.engines.method.pairs import OpenedPairs
from overopt.engines.method.rollout import OpenedRollout
from overopt.engines.pairs import optimize_pairs
from overopt.engines.rollout import optimize_rollout
from overopt.engines.trl.pairs import optimize_pairs as optimize_pairs_trl
from overopt.engines.trl.rollout import optimize_rollout as optimize_rollout_trl
from overopt.engines.trl.training import TrlSetup
from overopt.engines.walk.kl_probe import KLProbe
from overopt.engines.walk.trajectory import Trajectory
from overopt.execution.contract import Progress, silent
from overopt.models.folders import build_tokenizer
from overopt.spec.pairs import PairsSpec
from overopt.spec.rollout import RolloutSpec
from overopt.spec.trl import TrlSpec
from overopt.worlds.tokens import SPECIALS

AnyOpened = TypeVar("AnyOpened", bound=Opened[Named])

Begin = Callable[[], PreTrainedModel]
"""Builds the initial policy."""

OF_ROUNDING = 0.05
"""At sparsepo's first step the policy is the reference still, so that the gradient of its masks is
rounding alone, and Adam moves them by its sign."""


@cache
def tokenizer() -> PreTrainedTokenizerBase:
    words = (f"w{word}" for word in range(len(SPECIALS), tiny.VOCABULARY_SIZE))
    return build_tokenizer((*SPECIALS, *words), tiny.CONTEXT_TOKENS)


def setup(folder: Path, **options: Any) -> TrlSetup:
    """Options of the engine; without checkpoints unless these are asked for."""
    return TrlSetup(TrlSpec(**{"checkpoint_steps": 0, **options}), tokenizer(), folder, seed=0)


def probe(policy: PreTrainedModel, reference: PreTrainedModel) -> float:
    return KLProbe(tiny.prompts(16), 2, tiny.MAX_NEW_TOKENS, 3)(policy, reference)


def opened(kind: type[AnyOpened], method: ModuleType, config: Any) -> AnyOpened:
    """A method as an engine wants it, out of whatever has its functions."""
    supplied: Any = method
    return kind(supplied, config)


def pairs_natively(
    method: ModuleType,
    config: Any,
    budgets_nats: Sequence[float],
    settings: PairsSpec,
    begin: Begin = tiny.policy,
) -> Trajectory:
    inputs = tiny.run_inputs(begin(), begin(), budgets_nats)
    return optimize_pairs(opened(OpenedPairs, method, config), settings, inputs)


def pairs_in_trl(
    method: ModuleType,
    config: Any,
    budgets_nats: Sequence[float],
    settings: PairsSpec,
    where: TrlSetup,
    progress: Progress = silent,
    begin: Begin = tiny.policy,
) -> Trajectory:
    inputs = tiny.run_inputs(begin(), begin(), budgets_nats, progress=progress)
    return optimize_pairs_trl(opened(OpenedPairs, method, config), settings, inputs, where)


def rollouts_natively(
    method: ModuleType,
    config: Any,
    budgets_nats: Sequence[float],
    settings: RolloutSpec,
    begin: Begin = tiny.policy,
) -> Trajectory:
    inputs = tiny.run_inputs(begin(), begin(), budgets_nats)
    return optimize_rollout(opened(OpenedRollout, method, config), settings, inputs)


def rollouts_in_trl(
    method: ModuleType,
    config: Any,
    budgets_nats: Sequence[float],
    settings: RolloutSpec,
    where: TrlSetup,
    progress: Progress = silent,
    reward: Callable[..., Any] = tiny.reward,
    begin: Begin = tiny.policy,
) -> Trajectory:
    inputs = tiny.run_inputs(begin(), begin(), budgets_nats, taste=reward, progress=progress)
    return optimize_rollout_trl(opened(OpenedRollout, method, config), settings, inputs, where)
