"""Models that start from a model folder which the task names."""

from __future__ import annotations

from pathlib import Path

from transformers import PreTrainedModel

from overopt.models.hub import load_base, load_causal
from overopt.spec.origins import ModelOrigin
from overopt.worlds.contract import World
from overopt.worlds.hub.folders import open_model
from overopt.worlds.hub.world import HubWorld


def start_policy(architecture: None, world: World, seed: int) -> PreTrainedModel:
    """The policy that a hub world names, as it is: its architecture is its own, nothing is random.

    The arguments are those of ``scratch.start_policy``.
    """
    assert isinstance(world, HubWorld)
    return load_causal(world.policy, world.stop_ids)


def start_reward(origin: ModelOrigin, world: World, seed: int) -> tuple[PreTrainedModel, Path]:
    """The backbone of a folder with a fresh head, and its tokenizer, by which it reads text."""
    role = "proxy base"
    return load_base(origin, role, seed), open_model(origin, role, "any").path
