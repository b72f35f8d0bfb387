"""Log-probabilities of all responses of a world that can list them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from transformers import PreTrainedModel

from overopt.models.decoding import read_prompts
from overopt.models.logprobs import suppressed_ids, token_logps
from overopt.models.weights import evaluating
from overopt.worlds.tokens import Tokens

_BUFFER_ENTRIES = 1 << 22

Ints = npt.NDArray[np.int64]


class _Branches(NamedTuple):
    """The U distinct beginnings of one length, and who is predicted from them.

    token_U: the last token of each. parent_U: which of the beginnings that are a token shorter it
    continues. response_K: of those responses that go on. node_K: from which of the U.
    """

    token_U: Ints
    parent_U: Ints
    response_K: Ints
    node_K: Ints


def enumerate_logps(
    model: PreTrainedModel,
    prompts: Tokens,
    responses: Tokens,
    buffer_entries: int = _BUFFER_ENTRIES,
) -> npt.NDArray[np.float64]:
    """Log-probability in nats of every response to every prompt, for worlds that are enumerable.

    Responses are read as a tree: the model reads every prompt once, and a beginning that several
    responses share once. Softmax and sums are in float64, so that the probabilities of a complete
    set of responses add up to 1.

    Args:
        model: a causal language model.
        prompts: B prompts.
        responses: R responses, none of them empty.
        buffer_entries: most probabilities held at once, but for those of a single prompt.

    Returns:
        float64 (B, R).

    Raises:
        ValueError: where a response is empty.
    """
    if responses.rows() and int(responses.length_N.min()) < 1:
        raise ValueError("an enumerated response needs at least one token")
    tree = _grow(responses)
    widest = max((len(level.token_U) for level in tree), default=1)
    at_once = max(1, buffer_entries // (widest * model.config.vocab_size))
    logp_BR = np.zeros((prompts.rows(), responses.rows()))
    with evaluating(model):
        for length in np.unique(prompts.length_N):
            group_B = np.flatnonzero(prompts.length_N == length)
            for start in range(0, len(group_B), at_once):
                chunk_B = group_B[start : start + at_once]
                prompt_BL = prompts.ids_NT[chunk_B, :length].astype(np.int64)
                logp_BR[chunk_B] = _walk(model, prompt_BL, responses, tree)
    return logp_BR


def _grow(responses: Tokens) -> list[_Branches]:
    """The tree of beginnings, by length: the empty one of all responses first."""
    ids_RT, length_R = responses.ids_NT.astype(np.int64), responses.length_N
    node_R = np.zeros(len(ids_RT), np.int64)
    root = np.zeros(1, np.int64)
    tree = [_Branches(root, root, np.arange(len(ids_RT)), node_R.copy())]
    for depth in range(1, ids_RT.shape[1]):
        going_K = np.flatnonzero(length_R > depth)
        _, first_U, node_K = np.unique(
            ids_RT[going_K, :depth], axis=0, return_index=True, return_inverse=True
        )
        one_U = going_K[first_U]
        tree.append(_Branches(ids_RT[one_U, depth - 1], node_R[one_U], going_K, node_K.reshape(-1)))
        node_R[going_K] = tree[-1].node_K
    return tree


def _walk(
    model: PreTrainedModel, prompt_BL: Ints, responses: Tokens, tree: list[_Branches]
) -> npt.NDArray[np.float64]:
    """Log-probabilities (B, R) after B prompts of one length."""
    prompts, suppressed = len(prompt_BL), suppressed_ids(model)
    row_B = torch.arange(prompts, device=model.device)
    read = torch.from_numpy(prompt_BL).to(model.device)
    decoder, logits = read_prompts(model, read, row_B, len(tree))
    logp_BR = np.zeros((prompts, responses.rows()))
    width = 1
    for depth, level in enumerate(tree):
        if depth:
            parent = torch.from_numpy(level.parent_U).to(model.device)
            decoder.keep((row_B[:, None] * width + parent).reshape(-1))
            logits = decoder.step(torch.from_numpy(level.token_U).to(model.device).repeat(prompts))
            width = len(level.token_U)
        logp = token_logps(logits.double(), suppressed).cpu().numpy()
        logp_BUV = logp.reshape(prompts, width, -1)
        chosen_K = responses.ids_NT[level.response_K, depth]
        logp_BR[:, level.response_K] += logp_BUV[:, level.node_K, chosen_K]
    return logp_BR
