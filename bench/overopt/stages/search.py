"""Answers of a method that searches a tree of partial answers, along its knob.

What it writes is read like what particle filters write; gold is no input of it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from overopt.artifacts.own_file import locate_own
from overopt.artifacts.reward import open_reward
from overopt.artifacts.spending import spent_beside
from overopt.engines.method.loading import open_as
from overopt.engines.method.search import OpenedSearch
from overopt.engines.particles.tree import TreeSearch
from overopt.execution.contract import Progress
from overopt.models.policy import load_policy
from overopt.models.values import prefix_values
from overopt.spec.method import MethodSpec
from overopt.stages.particles import place_answers
from overopt.stats.arrays import Floats
from overopt.worlds.contract import stop_ids, world_of
from overopt.worlds.tokens import Tokens


def run(params: dict[str, Any], inputs: dict[str, Path], out: Path, progress: Progress) -> None:
    """Place the search on the budgets, and draw answers there.

    params: as those of ``stages.particles``. inputs: ``initial``, the proxies, and ``value`` where
    values are learned.
    """
    method = locate_own(MethodSpec.model_validate(params["method"]), inputs)
    world = world_of(params)
    policy = load_policy(inputs["initial"] / "model")
    reward = open_reward(inputs, params["system"], world)
    model = load_policy(inputs["value"] / "model") if "value" in inputs else None

    def value(prompts: Tokens, partial: Tokens) -> Floats:
        if model is None:
            return reward(prompts, partial)
        return prefix_values(model, prompts, partial)

    runner = TreeSearch(
        open_as(OpenedSearch, method),
        policy,
        value,
        reward,
        world.response_tokens_max,
        stop_ids(world),
    )
    place_answers(params, method, runner, policy, out, progress, spent_beside(inputs, "value"))
