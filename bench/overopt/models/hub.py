"""Models out of any transformers folder: policies and bases of proxies.

Weights are read from safetensors and code of a folder is not run, unless the task says so. Every
dropout is set to 0, so that a policy in training and in evaluation is the same distribution.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import torch
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    GenerationConfig,
    PreTrainedModel,
)
from transformers.utils import logging

from overopt.errors import UserError
from overopt.models.folders import place
from overopt.spec.origins import ModelOrigin
from overopt.worlds.hub.folders import ModelFolder, open_model

_HEAD = re.compile(r"(.*\.)?(score|classifier|pooler|pre_classifier|classification_head)\.")
"""Weights that a fresh head may lack in the folder it starts from."""


def load_causal(origin: ModelOrigin, stop_ids: Sequence[int]) -> PreTrainedModel:
    """The causal language model of a folder, as a policy that samples from its whole softmax.

    Generation settings of the folder (truncation, repetition penalties) do not apply: a policy is
    its softmax at temperature 1. Tokens past the tokenizer's end stay possible, as the folder has
    them.
    """
    model = load_checked(
        AutoModelForCausalLM, open_model(origin, "policy", "causal"), origin, "policy"
    )
    model.generation_config = GenerationConfig(
        do_sample=True, temperature=1.0, top_k=0, top_p=1.0, eos_token_id=list(stop_ids)
    )
    return model


def load_base(origin: ModelOrigin, role: str, seed: int) -> PreTrainedModel:
    """A folder's backbone with a fresh head of one output; the global random state is left alone.

    The configuration names no padding token, so that rewards are read by position.
    """
    folder = open_model(origin, role, "any")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = load_checked(
            AutoModelForSequenceClassification, folder, origin, role, fresh_head=True, num_labels=1
        )
    if hasattr(model, "score"):
        model.config.pad_token_id = None
    return model


def load_checked(
    auto_class: Any,
    folder: ModelFolder,
    origin: ModelOrigin,
    role: str,
    fresh_head: bool = False,
    **settings: Any,
) -> PreTrainedModel:
    """Load a checked folder in evaluation mode.

    Raises:
        UserError: transformers does not know the architecture, or weights are missing or of
            another shape.
    """
    logging.disable_progress_bar()
    where = f"{role} {folder.path}"
    try:
        config = AutoConfig.from_pretrained(
            folder.path,
            local_files_only=True,
            trust_remote_code=origin.trust_remote_code,
            **settings,
        )
        for name, value in config.to_dict().items():
            if ("dropout" in name or name.endswith("_pdrop")) and isinstance(value, int | float):
                setattr(config, name, type(value)(0))
        verbosity = logging.get_verbosity()
        logging.set_verbosity_error()
        try:
            model, found = auto_class.from_pretrained(
                folder.path,
                config=config,
                dtype=getattr(torch, origin.dtype),
                local_files_only=True,
                use_safetensors=None if origin.allow_pickle else True,
                trust_remote_code=origin.trust_remote_code,
                output_loading_info=True,
            )
        finally:
            logging.set_verbosity(verbosity)
    except (ValueError, KeyError, OSError, RuntimeError) as error:
        first = str(error).strip().partition("\n")[0]
        raise UserError(f"{where} cannot be loaded: {first}") from error
    missing = sorted(found["missing_keys"])
    if fresh_head:
        missing = [name for name in missing if not _HEAD.match(name)]
    wrong = sorted(str(one[0]) for one in found.get("mismatched_keys", []))
    if missing or wrong:
        raise UserError(
            f"{where} lacks weights of its architecture ({', '.join((missing + wrong)[:3])}"
            f"{', ...' if len(missing + wrong) > 3 else ''}); it is another kind of model, or was "
            "saved in part."
        )
    assert isinstance(model, PreTrainedModel)
    model.eval()
    return place(model)
