"""Policies: causal language models that are built from scratch, saved and loaded.

A policy is the model's next-token distribution with PAD excluded (``logprobs.token_logps``), at
temperature 1. The saved generation settings say the same, so ``model.generate()`` of a loaded
folder samples from the same distribution.
"""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, GenerationConfig, PreTrainedModel

from overopt.models.architecture import build_config
from overopt.models.folders import load_folder, save_model
from overopt.spec.frozen import ArchitectureSpec
from overopt.worlds.tokens import BOS, EOS, PAD

__all__ = ["build_policy", "load_policy", "save_model"]


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


def load_policy(folder: Path) -> PreTrainedModel:
    """The causal language model of a folder, in evaluation mode."""
    return load_folder(AutoModelForCausalLM, folder)
