"""Models of values: language models whose output for token v at a prefix is V(prefix + v).

One pass values every token that may come next, where a model with one output would need a pass for
each of them.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from overopt.models.sequences import Batch, align


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


def response_values(model: PreTrainedModel, batch: Batch) -> Tensor:
    """V of each row up to each of its response tokens, that token included, differentiable.

    Args:
        model: outputs values.
        batch: B joined rows.

    Returns:
        float32 (B, T), zero on padding.
    """
    kept = batch.ids_BL.shape[1] - batch.prompt_length_min + 1
    # no token attends to padding, which stands on the right
    mask_BL = torch.ones_like(batch.ids_BL)
    output = model(
        input_ids=batch.ids_BL, attention_mask=mask_BL, use_cache=False, logits_to_keep=kept
    )
    value_BKV = output.logits[:, -kept:-1].float()
    target_BK = batch.ids_BL[:, batch.prompt_length_min :]
    return align(value_BKV.gather(2, target_BK.unsqueeze(-1)).squeeze(-1), batch)
