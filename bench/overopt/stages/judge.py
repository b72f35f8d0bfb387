"""Gold of answers that were drawn without it: what makes an evaluation of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from overopt.artifacts.gold import load_gold
from overopt.artifacts.tables import Column, Table, read_json, write_json, write_table
from overopt.execution.contract import Progress
from overopt.worlds.contract import world_of

_NUMBERS = ("step", "prompt_id", "sample_id")


def run(params: dict[str, Any], inputs: dict[str, Path], out: Path, progress: Progress) -> None:
    """Write the rows of ``optimize`` with their gold, and its record.

    inputs: ``optimize``, whose samples are there already, and ``gold``.
    """
    world = world_of(params)
    table = Table(inputs["optimize"] / "samples.parquet")
    responses = table.tokens("response")
    prompts = world.heldout_prompts.take(table.integers("prompt_id"))
    progress(0.5, "gold scores")
    columns: dict[str, Column] = {name: table.integers(name) for name in _NUMBERS}
    columns["response"] = responses
    columns["reference_logp"] = table.floats("reference_logp")
    columns["gold"] = load_gold(inputs["gold"], world)(prompts, responses)
    write_table(out / "samples.parquet", columns)
    write_json(out / "optimize.json", read_json(inputs["optimize"] / "optimize.json"))
    write_json(out / "exact.json", {})
