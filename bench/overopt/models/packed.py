"""One pass of a small GPT-2 over joined rows, without what nobody reads.

transformers reads every row by itself, padding and prompt included. Here tokens of all rows lie one
after another: rows that continue the same prompt share its tokens, there is no padding, and what
predicts nothing leaves after the last keys and values. Only attention sees rows as a rectangle. It
is GPT-2's calculation from the model's own weights, forward and backward, and nothing else.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import GPT2ForSequenceClassification, GPT2LMHeadModel, PreTrainedModel
from transformers.pytorch_utils import Conv1D

_Ints = npt.NDArray[np.int64]


class Joined(Protocol):
    """B joined rows, ``models.sequences.Batch``, as far as a pass needs them."""

    @property
    def ids_BL(self) -> Tensor:
        """``[prompt | response | PAD]``."""
        ...

    @property
    def prompt_length_B(self) -> Tensor:
        """Tokens of each prompt."""
        ...

    @property
    def mask_BT(self) -> Tensor:
        """True on response tokens."""
        ...

    @property
    def prompt_length_min(self) -> int:
        """The shortest prompt."""
        ...


class Packed(NamedTuple):
    """The N tokens of B rows, each prompt once: S that predict nothing of a response come first.

    token_N, position_N: int64.
    place_BL: where each token of the rectangle lies among the N; any of them for padding.
    cell_N: the opposite, a place in the flattened rectangle for each token.
    reads_BK: which of the N - S others predicts each token from the end of the shortest prompt on,
        N - S for padding. last_B: which of the N is each row's last token.
    silent: S.
    """

    token_N: Tensor
    position_N: Tensor
    place_BL: Tensor
    cell_N: Tensor
    reads_BK: Tensor
    last_B: Tensor
    silent: int


def is_plain(model: PreTrainedModel) -> bool:
    """Whether a model is GPT-2 as it is: not wrapped, adapted, dropped out or in half precision.

    On an accelerator transformers has kernels of the device's own.
    """
    if type(model) not in (GPT2LMHeadModel, GPT2ForSequenceClassification):
        return False
    config: Any = model.config
    usual = config.scale_attn_weights and not config.scale_attn_by_inverse_layer_idx
    if not usual or config.add_cross_attention or "forward" in vars(model):
        return False
    if model.device.type != "cpu" or model.dtype != torch.float32:
        return False
    if torch.is_autocast_enabled("cpu") or getattr(
        model.base_model, "gradient_checkpointing", False
    ):
        return False
    if model.training and _drops_out(model):
        return False
    blocks: Any = model.base_model.h
    return all(
        type(layer) is Conv1D
        for block in blocks
        for layer in (block.attn.c_attn, block.attn.c_proj, block.mlp.c_fc, block.mlp.c_proj)
    )


def _drops_out(model: PreTrainedModel) -> bool:
    """Whether training leaves anything out; who adds dropout does so in the layers themselves."""
    return any(layer.p > 0 for layer in model.modules() if isinstance(layer, nn.Dropout))


def pack(batch: Joined, with_last: bool = False) -> Packed:
    """Lay the tokens of a batch out.

    Args:
        batch: B joined rows on the CPU.
        with_last: whether the last token of a response is read too, which predicts nothing.
    """
    ids_BL: _Ints = batch.ids_BL.numpy()
    prompt_B: _Ints = batch.prompt_length_B.numpy()
    response_B: _Ints = batch.mask_BT.numpy().sum(1)
    read_B = response_B if with_last else np.maximum(response_B - 1, 0)
    column_L = np.arange(int((prompt_B + read_B).max(initial=0)))
    in_prompt_BL = column_L < prompt_B[:, None]
    first_G, group_B = _distinct(ids_BL, prompt_B)
    length_G = prompt_B[first_G]
    groups, silent = len(first_G), int((length_G - 1).sum())
    start_G = np.cumsum(length_G - 1) - (length_G - 1)
    start_B = silent + groups + np.cumsum(read_B) - read_B
    last_prompt_BL = column_L == prompt_B[:, None] - 1
    place_BL = start_G[group_B][:, None] + column_L
    place_BL = np.where(last_prompt_BL, silent + group_B[:, None], place_BL)
    place_BL = np.where(in_prompt_BL, place_BL, (start_B - prompt_B)[:, None] + column_L)
    real_BL = column_L < (prompt_B + read_B)[:, None]
    place_BL = np.where(real_BL, place_BL, 0)
    row_R, column_R = np.nonzero(real_BL)
    place_R = place_BL[row_R, column_R]
    token_N, position_N, cell_N = np.empty((3, silent + groups + int(read_B.sum())), np.int64)
    token_N[place_R] = ids_BL[row_R, column_R]
    position_N[place_R] = column_R
    cell_N[place_R] = row_R * len(column_L) + column_R
    reads_BK = _reads(batch, place_BL, prompt_B, response_B, silent, len(token_N))
    last_B = place_BL[np.arange(len(prompt_B)), prompt_B + read_B - 1]
    return Packed(
        token_N=torch.from_numpy(token_N),
        position_N=torch.from_numpy(position_N),
        place_BL=torch.from_numpy(place_BL),
        cell_N=torch.from_numpy(cell_N),
        reads_BK=torch.from_numpy(reads_BK),
        last_B=torch.from_numpy(last_B),
        silent=silent,
    )


def _reads(
    batch: Joined, place_BL: _Ints, prompt_B: _Ints, response_B: _Ints, silent: int, tokens: int
) -> _Ints:
    """Who predicts what; see ``Packed``."""
    columns = batch.ids_BL.shape[1] - batch.prompt_length_min
    column_BK = batch.prompt_length_min - 1 + np.arange(columns)[None, :]
    within = (column_BK >= prompt_B[:, None] - 1) & (
        column_BK < (prompt_B + response_B)[:, None] - 1
    )
    at_BK = np.minimum(column_BK, place_BL.shape[1] - 1)
    place_BK = np.take_along_axis(place_BL, np.broadcast_to(at_BK, within.shape), axis=1)
    return np.where(within, place_BK - silent, tokens - silent)


def _distinct(ids_BL: _Ints, prompt_B: _Ints) -> tuple[_Ints, _Ints]:
    """The first row of each distinct prompt, and which of them each row continues."""
    width = int(prompt_B.max(initial=0))
    own_BP = np.where(np.arange(width) < prompt_B[:, None], ids_BL[:, :width], -1)
    key_B = np.ascontiguousarray(own_BP).view(f"V{own_BP.itemsize * width}").ravel()
    _, first_G, group_B = np.unique(key_B, return_index=True, return_inverse=True)
    return first_G, group_B


def packed_logits(model: Any, packed: Packed) -> Tensor:
    """Logits (N - S, V) of all tokens that predict."""
    kept = torch.arange(packed.silent, len(packed.token_N))
    logits: Tensor = model.lm_head(_run(model.transformer, packed, kept))
    return logits


def packed_outputs(model: Any, packed: Packed) -> Tensor:
    """Outputs (B, labels) of a sequence classifier at each row's last token."""
    outputs: Tensor = model.score(_run(model.transformer, packed, packed.last_B))
    return outputs


def packed_states(model: Any, packed: Packed, token_M: Tensor) -> Tensor:
    """States (M, D) of the last layer at M of the N tokens."""
    return _run(model.base_model, packed, token_M)


def _run(body: Any, packed: Packed, kept_M: Tensor) -> Tensor:
    """States (M, D) of some tokens after the last block and its norm."""
    x_ND = functional.embedding(packed.token_N, body.wte.weight) + functional.embedding(
        packed.position_N, body.wpe.weight
    )
    cell_N = packed.cell_N
    for number, block in enumerate(body.h):
        attention = block.attn
        mixed_NE = _affine(_normal(x_ND, block.ln_1), attention.c_attn)
        mixed_BLE = functional.embedding(packed.place_BL, mixed_NE)
        heads_BLEHW = mixed_BLE.view(*packed.place_BL.shape, 3, attention.num_heads, -1)
        query, key, value = heads_BLEHW.permute(2, 0, 3, 1, 4)
        seen_BHLW = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        seen_CD = seen_BHLW.transpose(1, 2).flatten(2).flatten(0, 1)
        if number == len(body.h) - 1:
            x_ND, cell_N = functional.embedding(kept_M, x_ND), cell_N[kept_M]
        x_ND = x_ND + _affine(functional.embedding(cell_N, seen_CD), attention.c_proj)
        inner = block.mlp.act(_affine(_normal(x_ND, block.ln_2), block.mlp.c_fc))
        x_ND = x_ND + _affine(inner, block.mlp.c_proj)
    return _normal(x_ND, body.ln_f)


def _affine(x_ND: Tensor, layer: Any) -> Tensor:
    return torch.addmm(layer.bias, x_ND, layer.weight)


def _normal(x_ND: Tensor, norm: Any) -> Tensor:
    return functional.layer_norm(x_ND, norm.normalized_shape, norm.weight, norm.bias, norm.eps)
