"""Hidden states at which a reward model reads its reward."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from transformers import PreTrainedModel

from overopt.models.rewards.reward import BATCH_TOKENS, distinct_rows
from overopt.models.sequences import bucket_rows, join
from overopt.models.weights import evaluating
from overopt.worlds.tokens import Tokens


def reward_states(
    model: PreTrainedModel, prompts: Tokens, responses: Tokens
) -> npt.NDArray[np.float64]:
    """The last layer's state (N, D) at the token where each row's reward is read.

    That is a row's last token, or the first one of a model that is no decoder.

    Args:
        model: a sequence classifier with one output.
        prompts: N prompts.
        responses: the response to each.

    Raises:
        FloatingPointError: a state is not finite.
    """
    first_U, inverse_N = distinct_rows(prompts, responses)
    length_U = (prompts.length_N + responses.length_N)[first_U]
    state_UD: npt.NDArray[np.float64] | None = None
    with evaluating(model):
        for index_B in bucket_rows(length_U, BATCH_TOKENS):
            row_B = first_U[index_B]
            batch = join(prompts.take(row_B), responses.take(row_B), model.device)
            state_BLD = model.base_model(
                input_ids=batch.ids_BL, attention_mask=batch.attention_BL
            ).last_hidden_state.double()
            place_B = batch.attention_BL.sum(1) - 1
            if not hasattr(model, "score"):
                place_B = torch.zeros_like(place_B)
            read_BD = state_BLD[torch.arange(len(place_B), device=place_B.device), place_B]
            if state_UD is None:
                state_UD = np.empty((len(first_U), read_BD.shape[1]))
            state_UD[index_B] = read_BD.cpu().numpy()
    if state_UD is None:
        raise ValueError("there is no response whose state could be read")
    if not np.isfinite(state_UD).all():
        raise FloatingPointError("a hidden state of the reward model is not finite")
    return state_UD[inverse_N]
