"""Policies: causal language models that are saved and loaded.

A policy is the model's next-token distribution with PAD excluded (``logprobs.token_logps``), at
temperature 1. The saved generation settings say the same, so ``model.generate()`` of a loaded
folder samples from the same distribution.

A folder may hold a recipe instead of weights (``models.composed``). Few stages meet one, so what
opens it is loaded by name.
"""

from __future__ import annotations

from pathlib import Path

from transformers import AutoModelForCausalLM, PreTrainedModel

from overopt.execution.code.modules import load
from overopt.models.folders import RECIPE, load_folder, save_model

__all__ = ["load_policy", "save_model"]


def load_policy(folder: Path) -> PreTrainedModel:
    """The causal language model of a folder, in evaluation mode; of a recipe, what it composes."""
    if (folder / RECIPE).is_file():
        composed: PreTrainedModel = load("models", "composed").open_composed(folder)
        return composed
    return load_folder(AutoModelForCausalLM, folder)
