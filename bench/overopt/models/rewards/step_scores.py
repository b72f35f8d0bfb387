"""Reward models read at the end of every step: log-odds that the step is right."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from torch import Tensor
from transformers import PreTrainedModel

from overopt.models.rewards.reward import BATCH_TOKENS
from overopt.models.sequences import Batch, align, bucket_rows, join
from overopt.models.weights import evaluating
from overopt.worlds.tokens import Tokens


def token_logits(model: PreTrainedModel, batch: Batch) -> Tensor:
    """The head's output at every response token, differentiable; 0 on padding.

    A causal model's output at a token has read the prompt and the response up to that token.

    Args:
        model: a decoder with one output, its head named ``score``.
        batch: B joined rows.

    Returns:
        float32 (B, T), aligned with ``batch.mask_BT``.
    """
    hidden_BLD = model.base_model(
        input_ids=batch.ids_BL, attention_mask=batch.attention_BL
    ).last_hidden_state
    logit_BL = model.score(hidden_BLD).squeeze(-1).float()
    return align(logit_BL[:, batch.prompt_length_min :], batch)


def score_tokens(
    model: PreTrainedModel, prompts: Tokens, responses: Tokens, batch_tokens: int = BATCH_TOKENS
) -> npt.NDArray[np.float64]:
    """Log-odds at every token of each response, as if a step ended there; 0 on padding.

    Rows are computed in batches of similar length; equal rows are computed once, so that equal
    text gets equal numbers to the last bit.

    Args:
        model: a decoder with one output.
        prompts: N prompts.
        responses: the response of each.
        batch_tokens: most padded tokens computed at once.

    Returns:
        float64 (N, T), T the longest response.

    Raises:
        FloatingPointError: where a number is not finite.
    """
    rows_NT = np.column_stack(
        [prompts.length_N, responses.length_N, prompts.ids_NT, responses.ids_NT]
    )
    _, first_U, inverse_N = np.unique(rows_NT, axis=0, return_index=True, return_inverse=True)
    length_U = (prompts.length_N + responses.length_N)[first_U]
    logit_UT = np.zeros((len(first_U), responses.ids_NT.shape[1]))
    with evaluating(model):
        for index_B in bucket_rows(length_U, batch_tokens):
            row_B = first_U[index_B]
            batch = join(prompts.take(row_B), responses.take(row_B), model.device)
            logit_BT = token_logits(model, batch).cpu().numpy()
            logit_UT[index_B, : logit_BT.shape[1]] = logit_BT
    if not np.isfinite(logit_UT).all():
        raise FloatingPointError("the log-odds of some steps are not finite")
    return logit_UT[inverse_N.reshape(-1)]
