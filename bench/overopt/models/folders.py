"""Model folders on disk: genuine transformers folders, written byte for byte the same each time."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from tokenizers import AddedToken, Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit
from transformers import PreTrainedModel, PreTrainedTokenizerFast
from transformers.utils import logging

from overopt.errors import UserError
from overopt.spec.placement import ACCELERATED_PARAMETERS
from overopt.worlds.tokens import BOS, EOS, PAD, SEP, SPECIALS

TOKENIZER_FILES = (
    *("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"),
    *("vocab.json", "merges.txt", "tokenizer.model", "chat_template.jinja", "chat_template.json"),
)
"""What a model folder's tokenizer and chat template are made of."""
RECIPE = "recipe.json"
"""Stands in place of a model's own files where a policy is composed of others (``spec.recipe``)."""
_TRUSTED = "code_is_trusted"


def build_tokenizer(vocabulary: Sequence[str], context_tokens: int) -> PreTrainedTokenizerFast:
    """A word-level tokenizer: words are separated by white space, an unknown word is an error.

    Args:
        vocabulary: the word of every token id; the first four are the special tokens.
        context_tokens: longest sequence of the model.
    """
    ids = {word: position for position, word in enumerate(vocabulary)}
    if tuple(vocabulary[:4]) != SPECIALS or len(ids) != len(vocabulary):
        raise ValueError(f"a vocabulary is distinct words that begin with {SPECIALS}")
    tokenizer = Tokenizer(WordLevel(ids, unk_token="<unk>"))
    tokenizer.pre_tokenizer = WhitespaceSplit()
    tokenizer.add_special_tokens([AddedToken(word, normalized=False) for word in SPECIALS])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=SPECIALS[PAD],
        bos_token=SPECIALS[BOS],
        sep_token=SPECIALS[SEP],
        eos_token=SPECIALS[EOS],
        padding_side="left",
        model_max_length=context_tokens,
        clean_up_tokenization_spaces=False,
    )


def save_model(model: PreTrainedModel, folder: Path, vocabulary: Sequence[str] | Path) -> None:
    """Write config.json, model.safetensors and the tokenizer of a policy or reward model.

    A model that was loaded with trusted code of its folder takes that code along.

    The same weights give the same bytes: no time, host or path is stored. The folder opens with
    ``AutoModelForCausalLM`` or ``AutoModelForSequenceClassification``, and ``AutoTokenizer``.

    Args:
        model: the model to write.
        folder: created where it is missing.
        vocabulary: the word of every token id, or a folder whose tokenizer is copied.
    """
    folder.mkdir(parents=True, exist_ok=True)
    logging.disable_progress_bar()
    model.save_pretrained(folder, safe_serialization=True)
    if isinstance(vocabulary, Path):
        for name in TOKENIZER_FILES:
            if (vocabulary / name).is_file():
                shutil.copyfile(vocabulary / name, folder / name)
        if getattr(model.config, "auto_map", None):
            for code in vocabulary.glob("*.py"):
                shutil.copyfile(code, folder / code.name)
            (folder / _TRUSTED).touch()
    else:
        build_tokenizer(vocabulary, model.config.max_position_embeddings).save_pretrained(folder)
    # safetensors creates its files for the owner only; a store may be shared by a group
    for weights in folder.glob("*.safetensors"):
        weights.chmod((folder / "config.json").stat().st_mode)


def load_folder(auto_class: Any, folder: Path) -> PreTrainedModel:
    """The model of a folder in evaluation mode, read from safetensors only.

    Args:
        auto_class: a transformers ``AutoModelFor...`` class.
        folder: a folder as ``save_model`` writes it; its code runs only where it was trusted then.

    Raises:
        UserError: where the folder holds no model of that kind.
    """
    if not (folder / "config.json").is_file():
        raise UserError(
            f"{folder} is not a model folder: it has no config.json; give a folder with "
            "config.json and model.safetensors"
        )
    logging.disable_progress_bar()
    model: PreTrainedModel = auto_class.from_pretrained(
        folder,
        local_files_only=True,
        use_safetensors=True,
        trust_remote_code=(folder / _TRUSTED).is_file(),
    )
    model.eval()
    return place(model)


def place(model: PreTrainedModel) -> PreTrainedModel:
    """The model on an accelerator, where there is one and the model is large enough to gain."""
    if torch.cuda.is_available() and model.num_parameters() >= ACCELERATED_PARAMETERS:
        model.to("cuda")
    return model
