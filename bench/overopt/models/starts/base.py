"""Models that start from a model folder which the task names."""

from __future__ import annotations

from pathlib import Path

from transformers import PreTrainedModel

from overopt.models.hub import load_base, load_causal
from overopt.spec.origins import ModelOrigin
from overopt.worlds.contract import World, stop_ids
from overopt.worlds.hub.folders import open_model


def start_policy(origin: ModelOrigin, world: World, seed: int) -> PreTrainedModel:
    """The policy of a folder as it is; nothing about it is random."""
    return load_causal(origin, stop_ids(world))


def start_reward(origin: ModelOrigin, world: World, seed: int) -> tuple[PreTrainedModel, Path]:
    """The backbone of a folder with a fresh head, and its tokenizer, by which it reads text."""
    role = "proxy base"
    return load_base(origin, role, seed), open_model(origin, role, "any").path
