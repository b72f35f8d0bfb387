"""A transformer that was trained on the rule's labels as gold."""

from __future__ import annotations

from pathlib import Path

from overopt.models.rewards.reward import load_reward, score
from overopt.worlds.contract import Gold, World


def open_gold(folder: Path, world: World) -> Gold:
    """The reward model of the artifact, in its own units."""
    model = load_reward(folder / "model")
    return lambda prompts, responses: score(model, prompts, responses)
