"""Small transformers made from scratch: policies and reward models of a given architecture."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    GenerationConfig,
    PreTrainedModel,
)

from overopt.models.architecture import build_config
from overopt.spec.training import ArchitectureSpec
from overopt.worlds.contract import Tokenized, World, context_tokens, lexicon
from overopt.worlds.tokens import BOS, EOS, PAD


def start_policy(architecture: ArchitectureSpec, world: World, seed: int) -> PreTrainedModel:
    """An untrained policy of a world."""
    return build_policy(
        architecture,
        vocabulary_size=len(world.vocabulary),
        context_tokens=context_tokens(world),
        seed=seed,
    )


def start_reward(
    architecture: ArchitectureSpec, world: World, seed: int
) -> tuple[PreTrainedModel, Path | tuple[str, ...]]:
    """An untrained reward model of a world, and what its tokenizer is made from."""
    model = build_reward(
        architecture,
        vocabulary_size=len(world.vocabulary),
        context_tokens=context_tokens(world),
        seed=seed,
    )
    if isinstance(world, Tokenized):
        model.config.pad_token_id = None  # no id of a tokenizer's is filler only
    return model, lexicon(world)


def build_policy(
    architecture: ArchitectureSpec, vocabulary_size: int, context_tokens: int, seed: int
) -> PreTrainedModel:
    """A freshly initialized causal language model; the global random state is left as it was.

    Args:
        architecture: family, layers, width, heads.
        vocabulary_size: V, special tokens included.
        context_tokens: longest prompt and response together.
        seed: seed of the initial weights.
    """
    config = build_config(architecture, vocabulary_size, context_tokens)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model: PreTrainedModel = AutoModelForCausalLM.from_config(config)
    model.generation_config = GenerationConfig(
        do_sample=True,
        temperature=1.0,
        top_k=0,
        top_p=1.0,
        suppress_tokens=[PAD],
        pad_token_id=PAD,
        bos_token_id=BOS,
        eos_token_id=EOS,
    )
    return model


def build_reward(
    architecture: ArchitectureSpec, vocabulary_size: int, context_tokens: int, seed: int
) -> PreTrainedModel:
    """A freshly initialized reward model; the global random state is left as it was.

    Args:
        architecture: family, layers, width, heads.
        vocabulary_size: V, special tokens included.
        context_tokens: longest prompt and response together.
        seed: seed of the initial weights.
    """
    config = build_config(architecture, vocabulary_size, context_tokens, num_labels=1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model: PreTrainedModel = AutoModelForSequenceClassification.from_config(config)
    return model
