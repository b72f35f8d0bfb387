"""Models out of any transformers folder: policies, classifiers as gold, and bases of proxies.

Weights are read from safetensors and code of a folder is not run, unless the task says so. Every
dropout is set to 0, so that a policy in training and in evaluation is the same distribution.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
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
from overopt.models.reward import BATCH_TOKENS, classify
from overopt.models.sequences import bucket_rows, join
from overopt.models.weights import evaluating
from overopt.spec.origins import ModelOrigin, ReaderOrigin
from overopt.worlds.hub.folders import ModelFolder, good_output, open_model
from overopt.worlds.hub.text import FolderTokenizer, Turn, flat_text
from overopt.worlds.hub.world import HubWorld, tokens_of
from overopt.worlds.tokens import Tokens

_HEAD = re.compile(r"(.*\.)?(score|classifier|pooler|pre_classifier|classification_head)\.")
"""Weights that a fresh head may lack in the folder it starts from."""


def load_causal(origin: ModelOrigin, stop_ids: Sequence[int]) -> PreTrainedModel:
    """The causal language model of a folder, as a policy that samples from its whole softmax.

    Generation settings of the folder (truncation, repetition penalties) do not apply: a policy is
    its softmax at temperature 1. Tokens past the tokenizer's end stay possible, as the folder has
    them.
    """
    model = _load(AutoModelForCausalLM, open_model(origin, "policy", "causal"), origin, "policy")
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
        model = _load(
            AutoModelForSequenceClassification, folder, origin, role, fresh_head=True, num_labels=1
        )
    if hasattr(model, "score"):
        model.config.pad_token_id = None
    return model


class Reader:
    """How a model with its own tokenizer reads this world's prompts and responses.

    Args:
        world: decodes responses, and knows the turns behind a prompt.
        tokenizer: of the model that reads.
        form: ``chat`` or text with ``{prompt}`` and ``{response}``.
        longest: most tokens it can read, None for no limit; a longer row keeps its first token
            and its end, where the response stands.
    """

    def __init__(
        self, world: HubWorld, tokenizer: FolderTokenizer, form: str, longest: int | None
    ) -> None:
        self._world, self._tokenizer, self._form = world, tokenizer, form
        self._longest = longest

    def read(self, prompts: Tokens, responses: Tokens) -> tuple[Tokens, Tokens]:
        """Each row in the reader's tokens, its first token apart from the rest."""
        texts = self._world.decode(responses)
        conversations = self._world.conversations(prompts)
        if self._form == "chat":
            rendered = [
                self._tokenizer.render_chat([*turns, Turn("assistant", text)], False)
                for turns, text in zip(conversations, texts, strict=True)
            ]
            rows = self._tokenizer.encode(rendered, False)
        else:
            rendered = [
                self._form.replace("{prompt}", "\0", 1)
                .replace("{response}", text, 1)
                .replace("\0", flat_text(turns), 1)
                for turns, text in zip(conversations, texts, strict=True)
            ]
            rows = self._tokenizer.encode(rendered, True)
        rows = [self._cut(row) for row in rows]
        return tokens_of([row[:1] for row in rows]), tokens_of([row[1:] for row in rows])

    def _cut(self, row: list[int]) -> list[int]:
        if self._longest is None or len(row) <= self._longest:
            return row
        return [row[0], *row[len(row) - self._longest + 1 :]]


def open_reader(world: HubWorld, origin: ReaderOrigin, role: str) -> Reader:
    """The reader of a model folder's own tokenizer."""
    folder = open_model(origin, role, "any")
    return Reader(world, FolderTokenizer(folder.path, role), origin.format, folder.context_tokens)


class ClassifierGold:
    """A sequence classifier of any architecture that scores text: raw gold (N,).

    One output is the score; of several, the log-odds of the good label,
    z_k - log sum over j != k of exp(z_j).
    """

    def __init__(self, origin: ReaderOrigin, world: HubWorld) -> None:
        folder = open_model(origin, "gold", "classifier")
        self._reader = open_reader(world, origin, "gold")
        self._model = _load(AutoModelForSequenceClassification, folder, origin, "gold")
        self._label = good_output(folder, origin)
        if self._model.config.pad_token_id is None and not hasattr(self._model, "score"):
            raise UserError(f"gold {folder.path} names no pad_token_id; set it in its config.json.")

    def __call__(self, prompts: Tokens, responses: Tokens) -> npt.NDArray[np.float64]:
        """Raw gold score of each response; equal responses to a prompt are scored once."""
        first, rest = self._reader.read(prompts, responses)
        length_N = first.length_N + rest.length_N
        gold_N = np.empty(len(length_N), dtype=np.float64)
        with evaluating(self._model):
            for index_B in bucket_rows(length_N, BATCH_TOKENS):
                batch = join(first.take(index_B), rest.take(index_B), self._model.device)
                logits_BC = classify(self._model, batch).double()
                gold_N[index_B] = _good(logits_BC, self._label).cpu().numpy()
        if not np.isfinite(gold_N).all():
            raise FloatingPointError(f"{int((~np.isfinite(gold_N)).sum())} responses have no gold")
        return gold_N


def _good(logits_BC: torch.Tensor, label: int) -> torch.Tensor:
    if logits_BC.shape[1] == 1:
        return logits_BC[:, 0]
    others = [label_ for label_ in range(logits_BC.shape[1]) if label_ != label]
    return logits_BC[:, label] - logits_BC[:, others].logsumexp(1)


def _load(
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
