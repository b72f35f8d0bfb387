"""A policy that reads longer texts than it was made for."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from transformers import GPT2LMHeadModel, PreTrainedModel

from overopt.errors import UserError


def widen(model: PreTrainedModel, tokens: int) -> None:
    """Let a model read at least so many tokens, in place; shorter texts are read as before.

    GPT-2 learns an embedding of every position. Those added start as copies of the last ones that
    it has, and are trained like the others.

    Args:
        model: a causal language model.
        tokens: of the longest text.

    Raises:
        UserError: the model is too short, and of another kind than GPT-2.
    """
    config: Any = model.config
    have = int(config.max_position_embeddings)
    if have >= tokens:
        return
    if not isinstance(model, GPT2LMHeadModel):
        raise UserError(
            f"texts of {tokens} tokens exceed the policy's context of {have}, which only models "
            "of the type gpt2 can have widened; choose another method."
        )
    body: Any = model.transformer
    old_LD = body.wpe.weight.detach()
    copied = (
        torch.arange(have, tokens) % have
        if tokens > 2 * have
        else torch.arange(2 * have - tokens, have)
    )
    wider = nn.Embedding(tokens, old_LD.shape[1], device=old_LD.device, dtype=old_LD.dtype)
    with torch.no_grad():
        wider.weight.copy_(torch.cat([old_LD, old_LD[copied]]))
    body.wpe = wider
    config.n_positions = tokens
