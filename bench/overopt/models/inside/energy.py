"""Energy that is lost in a policy's last layer."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from transformers import PreTrainedModel

from overopt.errors import UserError
from overopt.models.sequences import bucket_rows, join
from overopt.models.weights import evaluating
from overopt.worlds.tokens import Tokens

BATCH_TOKENS = 2048
_PROJECTIONS = ("down_proj", "c_proj", "dense_4h_to_h", "fc2")
"""What families of decoders call the layer that leads out of a block's MLP."""


def last_projection(model: PreTrainedModel) -> torch.nn.Module:
    """The down projection of the last block's MLP.

    Raises:
        UserError: the architecture calls it something else.
    """
    found: list[torch.nn.Module] = [
        module
        for name, module in model.named_modules()
        if name.rpartition(".")[2] in _PROJECTIONS and "attn" not in name
    ]
    if not found:
        raise UserError(
            f"{type(model).__name__} has no layer {', '.join(_PROJECTIONS)} in its blocks, so that "
            "its energy loss cannot be read; choose other monitors than energy-loss."
        )
    return found[-1]


def lost_energy(entering: Tensor, leaving: Tensor) -> Tensor:
    """Mean of |x| minus mean of |z| over the last axis.

    Args:
        entering: x, (..., I).
        leaving: z, (..., O).

    Reference: Miao et al., "The Energy Loss Phenomenon in RLHF: A New Perspective on Mitigating
        Reward Hacking", 2025, https://arxiv.org/abs/2501.19358; as its code (``energy_loss`` of
        utils_hr.py) has it. The text writes L1 norms instead of means.
    """
    return entering.float().abs().mean(-1) - leaving.float().abs().mean(-1)


def response_energy(
    policy: PreTrainedModel, prompts: Tokens, responses: Tokens
) -> npt.NDArray[np.float64]:
    """Energy lost in the last block's down projection, mean over each response's tokens, (N,).

    A token counts where it is predicted: at the position before it.

    Args:
        policy: a causal language model.
        prompts: N prompts.
        responses: the response to each, of at least one token.
    """
    energy_N = np.empty(prompts.rows())
    seen: list[Tensor] = []

    def keep(_module: Any, given: tuple[Tensor, ...], told: Tensor) -> None:
        seen.append(lost_energy(given[0], told))

    handle = last_projection(policy).register_forward_hook(keep)
    try:
        with evaluating(policy):
            for index_B in bucket_rows(prompts.length_N + responses.length_N, BATCH_TOKENS):
                batch = join(prompts.take(index_B), responses.take(index_B), policy.device)
                seen.clear()
                policy.base_model(input_ids=batch.ids_BL, attention_mask=batch.attention_BL)
                energy_BL = seen[0].reshape(batch.ids_BL.shape).double()
                place_L = torch.arange(batch.ids_BL.shape[1], device=energy_BL.device)
                start_B1 = batch.prompt_length_B[:, None] - 1
                end_B1 = batch.attention_BL.sum(1, keepdim=True) - 1
                predicts_BL = (place_L >= start_B1) & (place_L < end_B1)
                total_B = (energy_BL * predicts_BL).sum(1) / predicts_BL.sum(1)
                energy_N[index_B] = total_B.cpu().numpy()
    finally:
        handle.remove()
    if not np.isfinite(energy_N).all():
        raise FloatingPointError("the energy loss of a response is not finite")
    return energy_N
