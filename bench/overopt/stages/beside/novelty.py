"""How novel the responses of the pool, and all that are listed, are to the proxy's members."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from overopt.artifacts.own_file import locate_own
from overopt.artifacts.proxy import Member
from overopt.artifacts.randomness import torch_rng
from overopt.artifacts.scores import identifiers
from overopt.artifacts.tables import Table, write_json, write_table
from overopt.engines.learned.novelty import Trunk, learn_novelty, novelty
from overopt.engines.method.loading import open_as
from overopt.engines.method.novelty import OpenedNovelty
from overopt.execution.contract import Progress
from overopt.models.policy import load_policy
from overopt.spec.method import MethodSpec
from overopt.spec.rollout import RolloutSpec
from overopt.spec.system import ProxySystemSpec
from overopt.worlds.contract import world_of


def run(params: dict[str, Any], inputs: dict[str, Path], out: Path, progress: Progress) -> None:
    """Train on samples of training prompts; write the error of each row, and what it cost.

    params: ``world``, ``method`` (MethodSpec), ``system`` (ProxySystemSpec), ``settings`` of
    methods that learn from samples, ``seed``. inputs: ``initial``, the proxies, ``pool`` and
    ``listing`` where there is one.
    """
    spec = locate_own(MethodSpec.model_validate(params["method"]), inputs)
    method = open_as(OpenedNovelty, spec)
    world = world_of(params)
    system = ProxySystemSpec.model_validate(params["system"])
    members = [Member(inputs[f"proxy.{index}"], world) for index in range(system.scored)]
    trunks = [Trunk(member.model, member.reading) for member in members]
    learned = learn_novelty(
        method,
        trunks,
        load_policy(inputs["initial"] / "model"),
        world.train_prompts,
        world.response_tokens_max,
        RolloutSpec.model_validate(params["settings"]),
        torch_rng(int(params["seed"]), "novelty", spec.name),
        progress,
    )
    for role in ("pool", "listing"):
        if role in inputs:
            table = Table(inputs[role] / "samples.parquet")
            prompts = world.heldout_prompts.take(table.integers("prompt_id"))
            error_N = novelty(method, trunks, learned.predictors, prompts, table.tokens("response"))
            write_table(out / f"{role}.parquet", {**identifiers(table), "novelty": error_N})
    losses = {"loss": list(map(list, learned.loss))}
    write_json(out / "novelty.json", {**learned.compute._asdict(), **losses})
