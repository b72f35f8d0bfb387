"""Scores of one proxy of steps on the samples of an artifact."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from overopt.artifacts.scores import identifiers
from overopt.artifacts.step_member import StepMember
from overopt.artifacts.tables import Table, write_table
from overopt.execution.contract import Progress
from overopt.worlds.contract import world_of


def run(params: dict[str, Any], inputs: dict[str, Path], out: Path, progress: Progress) -> None:
    """Score every row of the ``samples`` input, as ``stages.score`` does for other proxies."""
    world = world_of(params)
    table = Table(inputs["samples"] / "samples.parquet")
    prompts = world.heldout_prompts.take(table.integers("prompt_id"))
    responses = table.tokens("response")
    member = StepMember(inputs["proxy"], world, params["system"], inputs)
    columns = {**identifiers(table), "score": member.score(prompts, responses)}
    write_table(out / "scores.parquet", columns)
