"""What a policy makes of whole responses, as numbers that tell similar ones from others."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from transformers import PreTrainedModel

from overopt.models.rewards.reward import distinct_rows
from overopt.models.sequences import bucket_rows, join
from overopt.models.weights import evaluating
from overopt.worlds.tokens import Tokens

BATCH_TOKENS = 2048


def response_features(
    policy: PreTrainedModel, prompts: Tokens, responses: Tokens
) -> npt.NDArray[np.float32]:
    """Mean over each response's tokens of the policy's last states there, (N, F).

    Args:
        policy: a causal language model.
        prompts: N prompts.
        responses: the response to each, of at least one token.
    """
    first_U, inverse_N = distinct_rows(prompts, responses)
    length_U = (prompts.length_N + responses.length_N)[first_U]
    found_UF = np.empty((len(first_U), int(policy.config.hidden_size)), dtype=np.float32)
    with evaluating(policy):
        for index_B in bucket_rows(length_U, BATCH_TOKENS):
            row_B = first_U[index_B]
            batch = join(prompts.take(row_B), responses.take(row_B), policy.device)
            state_BLD = policy.base_model(
                input_ids=batch.ids_BL, attention_mask=batch.attention_BL
            ).last_hidden_state.float()
            of_response_BL = batch.attention_BL.bool().clone()
            for b, length in enumerate(batch.prompt_length_B.tolist()):
                of_response_BL[b, :length] = False
            weight_BL1 = of_response_BL.unsqueeze(-1).float()
            mean_BD = (state_BLD * weight_BL1).sum(1) / weight_BL1.sum(1)
            found_UF[index_B] = mean_BD.cpu().numpy()
    return found_UF[inverse_N]
