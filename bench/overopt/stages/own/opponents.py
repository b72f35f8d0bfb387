"""Frozen responses of the initial policy to all prompts, for proxies that compare with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from overopt.artifacts.opponents import write_opponents
from overopt.artifacts.randomness import torch_rng
from overopt.execution.contract import Progress
from overopt.models.policy import load_policy
from overopt.models.sampling import sample
from overopt.worlds.contract import world_of
from overopt.worlds.tokens import concatenate


def run(params: dict[str, Any], inputs: dict[str, Path], out: Path, progress: Progress) -> None:
    """Sample ``per_prompt`` responses to every training and held-out prompt.

    params: ``world``, ``per_prompt``, ``seed``.
    """
    world = world_of(params)
    prompts = concatenate([world.train_prompts, world.heldout_prompts])
    drawn = sample(
        load_policy(inputs["initial"] / "model"),
        prompts,
        int(params["per_prompt"]),
        world.response_tokens_max,
        torch_rng(int(params["seed"]), "opponents"),
    )
    write_opponents(out, prompts, drawn.responses)
