"""TRL's head, which yields log-probabilities without building all logits.

It is patched into the model's ``forward`` (``model(..., labels=, fused_lm_head=True)``) and handles
``trl.trainer.utils._CHUNKED_LOGPROB_CHUNK_SIZE`` entries of the vocabulary at once: private parts,
which ``private_api.check_private_api`` looks for.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import trl.trainer.utils as trl_utils
from torch import Tensor, nn
from transformers import PreTrainedModel

from overopt.models.logprobs import suppressed_ids
from overopt.models.sequences import Batch, align

_LOWEST_LOGIT = -1e30
_VOCABULARY_CHUNK = 128


def exclude_suppressed(model: PreTrainedModel) -> None:
    """Give tokens that the policy never emits the probability 0 in the model's own head.

    The head's bias becomes very negative there, so that whatever TRL computes with the head, be it
    log-probabilities or ``generate``, follows ``logprobs.token_logps``. A head without a bias gets
    one that is neither trained nor saved.
    """
    suppressed = suppressed_ids(model)
    if not suppressed:
        return
    head: Any = model.get_output_embeddings()
    if head.bias is not None:
        with torch.no_grad():
            head.bias[suppressed] = _LOWEST_LOGIT
        return
    del head._parameters["bias"]
    bias_V = torch.zeros(head.weight.shape[0], dtype=head.weight.dtype, device=head.weight.device)
    bias_V[suppressed] = _LOWEST_LOGIT
    head.register_buffer("bias", bias_V, persistent=False)


@contextmanager
def fitted_head(vocabulary_size: int) -> Iterator[None]:
    """Let TRL's head handle no more of the vocabulary at once than there is.

    Its buffers are 32,768 entries wide; where the vocabulary is smaller, most of that is waste.
    """
    width = trl_utils._CHUNKED_LOGPROB_CHUNK_SIZE
    rounded = -(-vocabulary_size // _VOCABULARY_CHUNK) * _VOCABULARY_CHUNK
    trl_utils._CHUNKED_LOGPROB_CHUNK_SIZE = min(width, rounded)
    try:
        yield
    finally:
        trl_utils._CHUNKED_LOGPROB_CHUNK_SIZE = width


def fused_response_logps(model: nn.Module, batch: Batch) -> Tensor:
    """Log-probability in nats of each response token, through TRL's head, differentiable.

    The same numbers as ``logprobs.response_logps``, without the logits of the whole vocabulary in
    memory.

    Args:
        model: as TRL's trainer wrapped it.
        batch: B joined rows.

    Returns:
        float32 (B, T), zero on padding.
    """
    position_L = torch.arange(batch.ids_BL.shape[1], device=batch.ids_BL.device)
    answer_BL = (position_L >= batch.prompt_length_B[:, None]) & (batch.attention_BL == 1)
    output = model(
        input_ids=batch.ids_BL,
        attention_mask=batch.attention_BL,
        labels=batch.ids_BL.masked_fill(~answer_BL, -100),
        fused_lm_head=True,
    )
    return align(output.log_probs[:, batch.prompt_length_min - 1 :], batch)
