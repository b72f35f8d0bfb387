"""Decoding one token after another: a prompt read once, its key-value cache, and a step for it.

Any causal language model decodes through its own ``forward``. That of a GPT-2 of the size of these
worlds spends more time on finding out what it was asked for than on arithmetic, so GPT-2 has a
decoder that makes the same calculation from the model's own weights and nothing else.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor
from torch.nn.functional import layer_norm, linear, scaled_dot_product_attention
from transformers import GPT2LMHeadModel, PreTrainedModel
from transformers.pytorch_utils import Conv1D


class Decoder(Protocol):
    """Rows of equal length on their way, each with the keys and values of its tokens."""

    def step(self, token_A: Tensor) -> Tensor:
        """Append a token to each of A rows; logits (A, V) of what follows."""
        ...

    def keep(self, row_K: Tensor) -> None:
        """Go on with these rows only."""
        ...


class Start(NamedTuple):
    """A decoder of R rows that have read their prompts, and logits (R, V) of what follows."""

    decoder: Decoder
    logits_RV: Tensor


def read_prompts(
    model: PreTrainedModel, prompt_DL: Tensor, prompt_R: Tensor, new_tokens: int
) -> Start:
    """Read every distinct prompt once, and repeat its keys and values for its rows.

    Args:
        model: a causal language model, in evaluation mode.
        prompt_DL: int64, D distinct prompts of equal length.
        prompt_R: int64, which of them each row continues.
        new_tokens: most steps that will follow.
    """
    output: Any = model(input_ids=prompt_DL, use_cache=True, logits_to_keep=1)
    cache = output.past_key_values
    cache.batch_select_indices(prompt_R)
    logits_RV = output.logits[:, -1][prompt_R]
    # a forward that was wrapped to compute in another precision shows it in what it kept
    if _is_plain_gpt2(model) and cache.layers[0].keys.dtype == model.dtype:
        return Start(_GPT2Decoder(model, cache, prompt_DL.shape[1], new_tokens), logits_RV)
    return Start(_ForwardDecoder(model, cache), logits_RV)


class _ForwardDecoder:
    """Through the model's own ``forward``."""

    def __init__(self, model: PreTrainedModel, cache: Any) -> None:
        self._model: Any = model
        self._cache = cache

    def step(self, token_A: Tensor) -> Tensor:
        logits: Tensor = self._model(
            input_ids=token_A[:, None],
            past_key_values=self._cache,
            use_cache=True,
            logits_to_keep=1,
        ).logits
        return logits[:, -1]

    def keep(self, row_K: Tensor) -> None:
        self._cache.batch_select_indices(row_K)


class _GPT2Decoder:
    """The calculation of GPT-2's ``forward`` for one new token a row.

    x = wte[token] + wpe[position]; in every block x += proj(attention(ln_1(x))) and then
    x += mlp(ln_2(x)); logits = ln_f(x) wte^T. Keys and values lie in memory set aside for all of
    the tokens to come, instead of being copied at every one.

    Reference: Radford et al., "Language Models are Unsupervised Multitask Learners", 2019; held
        against transformers' implementation in the tests.
    """

    def __init__(self, model: Any, cache: Any, length: int, new_tokens: int) -> None:
        self._body, self._head = model.transformer, model.lm_head.weight
        self._heads = model.config.n_head
        self._length = length
        self._keys: list[Tensor] = []
        self._values: list[Tensor] = []
        for layer in cache.layers:
            for kept, given in ((self._keys, layer.keys), (self._values, layer.values)):
                rows, heads, _, width = given.shape
                room = given.new_empty(rows, heads, length + new_tokens, width)
                room[:, :, :length] = given
                kept.append(room)

    def step(self, token_A: Tensor) -> Tensor:
        body, at = self._body, self._length
        self._length += 1
        x_AD = body.wte.weight[token_A] + body.wpe.weight[at]
        rows, width = x_AD.shape
        for block, keys, values in zip(body.h, self._keys, self._values, strict=True):
            mixed = _affine(_normal(x_AD, block.ln_1), block.attn.c_attn)
            query, key, value = mixed.view(rows, 3, self._heads, -1).unbind(1)
            keys[:, :, at] = key
            values[:, :, at] = value
            seen = scaled_dot_product_attention(
                query.unsqueeze(2), keys[:, :, : self._length], values[:, :, : self._length]
            )
            x_AD = x_AD + _affine(seen.reshape(rows, width), block.attn.c_proj)
            inner = block.mlp.act(_affine(_normal(x_AD, block.ln_2), block.mlp.c_fc))
            x_AD = x_AD + _affine(inner, block.mlp.c_proj)
        return linear(_normal(x_AD, body.ln_f), self._head)

    def keep(self, row_K: Tensor) -> None:
        self._keys = [keys[row_K] for keys in self._keys]
        self._values = [values[row_K] for values in self._values]


def _normal(x_AD: Tensor, norm: Any) -> Tensor:
    return layer_norm(x_AD, norm.normalized_shape, norm.weight, norm.bias, norm.eps)


def _affine(x_AD: Tensor, layer: Any) -> Tensor:
    return torch.addmm(layer.bias, x_AD, layer.weight)


def _is_plain_gpt2(model: PreTrainedModel) -> bool:
    """Whether nothing about a model, such as adapters or another precision, departs from GPT-2."""
    if type(model) is not GPT2LMHeadModel or model.dtype != torch.float32:
        return False
    config = model.config
    usual = config.scale_attn_weights and not config.scale_attn_by_inverse_layer_idx
    if not usual or config.add_cross_attention or torch.is_autocast_enabled(model.device.type):
        return False
    blocks: Any = model.transformer.h
    layers = [
        layer
        for block in blocks
        for layer in (block.attn.c_attn, block.attn.c_proj, block.mlp.c_fc, block.mlp.c_proj)
    ]
    return not model.training and all(type(layer) is Conv1D for layer in layers)
