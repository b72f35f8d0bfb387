"""Reward models: sequence classifiers with one output that score a prompt and its response."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from transformers import (
    AutoModelForSequenceClassification,
    GPT2ForSequenceClassification,
    PreTrainedModel,
)

from overopt.models.folders import load_folder
from overopt.models.packed import is_plain, pack, packed_outputs
from overopt.models.sequences import Batch, Index, batch_rows, join
from overopt.models.weights import evaluating
from overopt.worlds.tokens import Tokens

BATCH_TOKENS = 2048


def load_reward(folder: Path) -> PreTrainedModel:
    """The sequence classifier of a folder, in evaluation mode."""
    return load_folder(AutoModelForSequenceClassification, folder)


def rewards(model: PreTrainedModel, batch: Batch) -> Tensor:
    """Raw reward of each row, read at its last token, differentiable.

    Args:
        model: a sequence classifier with one output.
        batch: B joined rows.

    Returns:
        float32 (B,).
    """
    return classify(model, batch).squeeze(-1).float()


def classify(model: PreTrainedModel, batch: Batch) -> Tensor:
    """Outputs (B, labels) of a sequence classifier, differentiable.

    A decoder whose configuration names a padding token finds a row's last token by it. One that
    names none is read at the row's last token by position, so that a row may end with any token.
    """
    if isinstance(model, GPT2ForSequenceClassification) and is_plain(model):
        return packed_outputs(model, pack(batch, with_last=True))
    pad_id = model.config.pad_token_id
    if pad_id is None and hasattr(model, "score"):
        hidden_BLD = model.base_model(
            input_ids=batch.ids_BL, attention_mask=batch.attention_BL
        ).last_hidden_state
        last_B = batch.attention_BL.sum(1) - 1
        row_B = torch.arange(len(last_B), device=last_B.device)
        read: Tensor = model.score(hidden_BLD[row_B, last_B])
        return read
    ids_BL = batch.ids_BL
    if pad_id:  # rows are filled with 0
        ids_BL = ids_BL.masked_fill(batch.attention_BL == 0, pad_id)
    caching = {"use_cache": False} if hasattr(model, "score") else {}
    output: Any = model(input_ids=ids_BL, attention_mask=batch.attention_BL, **caching)
    logits: Tensor = output.logits
    return logits


def distinct_rows(prompts: Tokens, responses: Tokens) -> tuple[Index, Index]:
    """First rows (U,) of the distinct prompts and responses, and which of them each row is (N,)."""
    joined = join(prompts, responses)
    ids_NL = joined.ids_BL.numpy().astype(np.int32)
    # lengths as well, since the number that fills a row may be a token elsewhere
    length_N2 = np.column_stack([prompts.length_N, responses.length_N]).astype(np.int32)
    key_NL = np.column_stack([length_N2, ids_NL])
    key_N = np.ascontiguousarray(key_NL).view(f"V{key_NL.shape[1] * key_NL.itemsize}").ravel()
    _, first_U, inverse_N = np.unique(key_N, return_index=True, return_inverse=True)
    return first_U, inverse_N


def score(
    model: PreTrainedModel,
    prompts: Tokens,
    responses: Tokens,
    batch_tokens: int = BATCH_TOKENS,
    read: Callable[[Any, Batch], Tensor] = rewards,
) -> npt.NDArray[np.float64]:
    """Raw reward of each response to the prompt of its row, in the reward model's own units.

    Rows are computed in batches (``models.sequences.batch_rows``). Equal rows are computed once, so
    that equal text gets equal reward to the last bit and a policy that repeats itself is cheap to
    score.

    Args:
        model: a sequence classifier with one output, or what else ``read`` takes.
        prompts: N prompts.
        responses: the response of each.
        batch_tokens: most padded tokens computed at once.
        read: raw reward (B,) of each row.

    Returns:
        float64 (N,).

    Raises:
        FloatingPointError: where a reward is not finite.
    """
    first_U, inverse_N = distinct_rows(prompts, responses)
    length_U = (prompts.length_N + responses.length_N)[first_U]
    reward_U = np.empty(len(first_U))
    with evaluating(model):
        for index_B in batch_rows(length_U, batch_tokens, is_plain(getattr(model, "trunk", model))):
            row_B = first_U[index_B]
            batch = join(prompts.take(row_B), responses.take(row_B), model.device)
            reward_U[index_B] = read(model, batch).cpu().numpy()
    if not np.isfinite(reward_U).all():
        count = int((~np.isfinite(reward_U)).sum())
        raise FloatingPointError(f"{count} of {len(reward_U)} distinct responses have no reward")
    return reward_U[inverse_N]
