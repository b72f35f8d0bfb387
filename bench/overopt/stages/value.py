"""Values of prefixes under the initial policy, by the proxy, for decoding rules that add them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from overopt.artifacts.own_file import locate_own
from overopt.artifacts.randomness import torch_rng
from overopt.artifacts.reward import open_reward
from overopt.artifacts.tables import write_json
from overopt.engines.learned.values import learn_values
from overopt.engines.method.loading import open_as
from overopt.engines.method.values import OpenedValues
from overopt.execution.contract import Progress
from overopt.models.folders import save_model
from overopt.models.policy import load_policy
from overopt.models.values import start_values
from overopt.spec.method import MethodSpec
from overopt.spec.rollout import RolloutSpec
from overopt.worlds.contract import lexicon, world_of


def run(params: dict[str, Any], inputs: dict[str, Path], out: Path, progress: Progress) -> None:
    """Learn the values; write the model's folder, and what it cost with a row for each batch.

    params: ``world``, ``method`` (MethodSpec), ``system`` (ProxySystemSpec), ``settings`` of
    methods that learn from samples, ``seed``. inputs: ``initial`` and the proxies, never gold.
    """
    method = locate_own(MethodSpec.model_validate(params["method"]), inputs)
    world = world_of(params)
    policy = load_policy(inputs["initial"] / "model")
    model = start_values(policy)
    learned = learn_values(
        open_as(OpenedValues, method),
        model,
        policy,
        world.train_prompts,
        open_reward(inputs, params["system"], world),
        world.response_tokens_max,
        RolloutSpec.model_validate(params["settings"]),
        torch_rng(int(params["seed"]), "value", method.name),
        progress,
    )
    save_model(model, out / "model", lexicon(world))
    rows = [row._asdict() for row in learned.rows]
    write_json(out / "value.json", {**learned.compute._asdict(), "batches": rows})
