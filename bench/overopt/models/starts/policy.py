"""Reward models that start from the initial policy."""

from __future__ import annotations

from pathlib import Path

from transformers import PreTrainedModel

from overopt.models.hub import load_base
from overopt.spec.origins import ModelOrigin
from overopt.worlds.contract import Tokenized, World, lexicon
from overopt.worlds.tokens import PAD


def start_reward(
    origin: ModelOrigin, world: World, seed: int
) -> tuple[PreTrainedModel, Path | tuple[str, ...]]:
    """The policy's backbone with a fresh head, and what the policy's tokenizer is made from.

    All its weights but the head's are the policy's; the head is drawn from the seed.
    """
    model = load_base(origin, "policy", seed)
    if not isinstance(world, Tokenized):
        model.config.pad_token_id = PAD  # as from scratch: no word of these worlds is padding
    return model, lexicon(world)
