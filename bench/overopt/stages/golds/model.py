"""A gold that is a transformer, trained on pairs that the world's rule labels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from overopt.artifacts.randomness import derived_seed, numpy_rng, torch_rng
from overopt.artifacts.tables import write_json
from overopt.execution.contract import Progress, part
from overopt.models.folders import save_model
from overopt.models.policy import load_policy
from overopt.models.rewards.reward_fitting import train_reward
from overopt.models.sampling import sample
from overopt.models.starts.scratch import start_reward
from overopt.spec.gold import GoldSpec
from overopt.worlds.contract import World
from overopt.worlds.preferences import Preferences
from overopt.worlds.tokens import Tokens


def make(
    spec: GoldSpec,
    world: World,
    params: dict[str, Any],
    inputs: dict[str, Path],
    out: Path,
    progress: Progress,
) -> None:
    """Train it on pairs of the initial policy's samples and of reference texts."""
    assert spec.architecture and spec.comparisons and spec.training
    seed = int(params["seed"])
    rng = numpy_rng(seed, "gold", "prompts")
    prompts = world.train_prompts.take(
        rng.integers(world.train_prompts.rows(), size=spec.comparisons)
    )
    policy = load_policy(inputs["initial"] / "model")
    drawn = sample(
        policy, prompts, 2, world.response_tokens_max, torch_rng(seed, "gold", "pairs")
    ).responses
    first, second = (drawn.take(np.arange(i, drawn.rows(), 2)) for i in (0, 1))
    # A third of the second responses are reference texts: the gold must also judge texts that
    # the initial policy rarely writes, since policies will move there.
    swapped_P = np.flatnonzero(rng.random(spec.comparisons) < 1 / 3)
    second = _replace(second, world.references(prompts, rng), swapped_P)
    prefer_first_P = np.flatnonzero(world.gold(prompts, first) >= world.gold(prompts, second))
    preferences = Preferences(
        prompts, _replace(second, first, prefer_first_P), _replace(first, second, prefer_first_P)
    )
    heldout_P = np.arange(spec.comparisons) < spec.comparisons // 10
    model, tokenizer = start_reward(spec.architecture, world, derived_seed(seed, "gold", "weights"))
    training = train_reward(
        model,
        preferences.take(~heldout_P),
        preferences.take(heldout_P),
        spec.training,
        numpy_rng(seed, "gold", "batches"),
        part(progress, 0.2, 1.0),
    )
    save_model(model, out / "model", tokenizer)
    write_json(out / "training.json", training.summary())


def _replace(into: Tokens, source: Tokens, rows: npt.NDArray[np.integer]) -> Tokens:
    """A copy of ``into`` in which the given rows come from ``source``."""
    width = max(into.ids_NT.shape[1], source.ids_NT.shape[1])
    ids_NT = np.zeros((into.rows(), width), dtype=np.int32)
    ids_NT[:, : into.ids_NT.shape[1]] = into.ids_NT
    ids_NT[rows] = 0
    ids_NT[rows, : source.ids_NT.shape[1]] = source.ids_NT[rows]
    length_N = into.length_N.copy()
    length_N[rows] = source.length_N[rows]
    return Tokens(ids_NT, length_N)
