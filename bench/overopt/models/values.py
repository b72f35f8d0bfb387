"""Models of values: language models whose output for token v at a prefix is V(prefix + v).

One pass values every token that may come next, where a model with one output would need a pass for
each of them.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from overopt.models.sequences import Batch, align, bucket_rows, join
from overopt.models.weights import evaluating
from overopt.worlds.tokens import Tokens

BATCH_TOKENS = 2048


def start_values(policy: PreTrainedModel) -> PreTrainedModel:
    """A copy of the policy whose outputs are values, 0 for every token at first.

    Its output layer is its own, where the policy's may be that of its embeddings.
    """
    model: Any = copy.deepcopy(policy)
    old = model.get_output_embeddings()
    head = nn.Linear(old.in_features, old.out_features, bias=False).to(old.weight)
    nn.init.zeros_(head.weight)
    model.config.tie_word_embeddings = False
    model.set_output_embeddings(head)
    made: PreTrainedModel = model
    return made


class CriticValues(NamedTuple):
    """What two heads say of the tokens of B responses, float32 (B, T), zero on padding.

    q_BT: Q of each token at its prefix. log_sum_q_BT: log of the sum of exp Q over all tokens that
    may stand there. value_BT: V of the prefix before it.
    """

    q_BT: Tensor
    log_sum_q_BT: Tensor
    value_BT: Tensor


def start_state_head(model: PreTrainedModel) -> nn.Linear:
    """A head that reads V of a prefix off the states of a model of values; 0 at first."""
    made: Any = model
    head = nn.Linear(int(made.config.hidden_size), 1).to(made.device)
    nn.init.zeros_(head.weight)
    nn.init.zeros_(head.bias)
    return head


def response_values(model: PreTrainedModel, batch: Batch) -> Tensor:
    """V of each row up to each of its response tokens, that token included, differentiable.

    Args:
        model: outputs values.
        batch: B joined rows.

    Returns:
        float32 (B, T), zero on padding.
    """
    value_BKV, _ = _read(model, batch, states=False)
    return align(_chosen(value_BKV, batch), batch)


def prefix_values(
    model: PreTrainedModel, prompts: Tokens, partial: Tokens
) -> npt.NDArray[np.float64]:
    """V of each prompt with the tokens of a partial answer, at least one, (N,)."""
    found_N = np.empty(prompts.rows())
    with evaluating(model):
        for index_B in bucket_rows(prompts.length_N + partial.length_N, BATCH_TOKENS):
            batch = join(prompts.take(index_B), partial.take(index_B), model.device)
            value_BT = response_values(model, batch)
            last_B1 = batch.mask_BT.sum(1, keepdim=True) - 1
            found_N[index_B] = value_BT.gather(1, last_B1).squeeze(1).double().cpu().numpy()
    return found_N


def critic_values(
    model: PreTrainedModel, head: nn.Linear, batch: Batch, suppressed: Sequence[int]
) -> CriticValues:
    """Q and V of each response token, differentiable.

    Args:
        model: outputs Q.
        head: reads V off the model's last states.
        batch: B joined rows.
        suppressed: tokens that are never emitted, and are no actions.
    """
    q_BKV, state_BKD = _read(model, batch, states=True)
    emitted_BKV = q_BKV.index_fill(
        -1, torch.tensor(suppressed, device=q_BKV.device).long(), -torch.inf
    )
    read = (_chosen(q_BKV, batch), emitted_BKV.logsumexp(-1), head(state_BKD).squeeze(-1))
    return CriticValues(*(align(one_BK, batch) for one_BK in read))


def _read(model: PreTrainedModel, batch: Batch, states: bool) -> tuple[Tensor, Tensor]:
    """Outputs (B, K, V) and last states (B, K, D) where response tokens are predicted."""
    kept = batch.ids_BL.shape[1] - batch.prompt_length_min + 1
    # no token attends to padding, which stands on the right
    mask_BL = torch.ones_like(batch.ids_BL)
    output = model(
        input_ids=batch.ids_BL,
        attention_mask=mask_BL,
        use_cache=False,
        logits_to_keep=kept,
        output_hidden_states=states,
    )
    value_BKV = output.logits[:, -kept:-1].float()
    state_BKD = output.hidden_states[-1][:, -kept:-1].float() if states else value_BKV[..., :0]
    return value_BKV, state_BKD


def _chosen(value_BKV: Tensor, batch: Batch) -> Tensor:
    """The outputs of the tokens that stand there, (B, K)."""
    target_BK = batch.ids_BL[:, batch.prompt_length_min :]
    return value_BKV.gather(2, target_BK.unsqueeze(-1)).squeeze(-1)
