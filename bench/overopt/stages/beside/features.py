"""Features of the responses of an artifact, as the initial policy reads them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from overopt.artifacts.scores import FEATURE, identifiers
from overopt.artifacts.tables import Table, write_table
from overopt.execution.contract import Progress
from overopt.models.features import response_features
from overopt.models.policy import load_policy
from overopt.worlds.contract import world_of


def run(params: dict[str, Any], inputs: dict[str, Path], out: Path, progress: Progress) -> None:
    """Read every row of the ``samples`` input; rows keep their identifiers beside the features."""
    world = world_of(params)
    table = Table(inputs["samples"] / "samples.parquet")
    prompts = world.heldout_prompts.take(table.integers("prompt_id"))
    policy = load_policy(inputs["initial"] / "model")
    feature_NF = response_features(policy, prompts, table.tokens("response"))
    named = {f"{FEATURE}{f}": column_N for f, column_N in enumerate(feature_NF.T.copy())}
    write_table(out / "features.parquet", {**identifiers(table), **named})
