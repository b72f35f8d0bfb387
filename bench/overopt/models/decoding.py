"""Decoding one token after another: a prompt read once, its key-value cache, and a step for it.

Any causal language model decodes through its own ``forward``. That of a GPT-2 of the size of these
worlds spends more time on finding out what it was asked for than on arithmetic, so GPT-2 has a
decoder that makes the same calculation from the model's own weights and nothing else.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor
from transformers import PreTrainedModel

from overopt.models.packed import is_plain


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
    own = getattr(model, "read_prompts", None)
    if own is not None:  # a policy that is put together from others is decoded by theirs
        found: Start = own(prompt_DL, prompt_R, new_tokens)
        return found
    output: Any = model(input_ids=prompt_DL, use_cache=True, logits_to_keep=1)
    cache = output.past_key_values
    logits_RV = output.logits[:, -1][prompt_R]
    # a forward that was wrapped to compute in another precision shows it in what it kept
    if is_plain(model) and not model.training and cache.layers[0].keys.dtype == model.dtype:
        return Start(_GPT2Decoder(model, cache, prompt_R, new_tokens), logits_RV)
    cache.batch_select_indices(prompt_R)
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


class _Block(NamedTuple):
    """The weights of one block, D wide; those of the queries, keys and values are transposed."""

    before_attention: tuple[Tensor, Tensor]
    mixing_ED: Tensor
    mixing_bias_E1: Tensor
    projection: tuple[Tensor, Tensor]
    before_mlp: tuple[Tensor, Tensor]
    inner: tuple[Tensor, Tensor]
    outer: tuple[Tensor, Tensor]
    activation: Any


class _GPT2Decoder:
    """The calculation of GPT-2's ``forward`` for one new token a row.

    x = wte[token] + wpe[position]; in every block x += proj(attention(ln_1(x))) and then
    x += mlp(ln_2(x)); logits = ln_f(x) wte^T. Keys and values lie in memory set aside for all of
    the tokens to come, instead of being copied at every one, with the rows as the last dimension:
    the heads of these worlds are so narrow that attention is fast only across rows.

    Reference: Radford et al., "Language Models are Unsupervised Multitask Learners", 2019; held
        against transformers' implementation in the tests.
    """

    def __init__(self, model: Any, cache: Any, prompt_R: Tensor, new_tokens: int) -> None:
        body = model.transformer
        self._embedding_VD, self._position_LD = body.wte.weight, body.wpe.weight
        self._blocks = [_block(block) for block in body.h]
        self._after = (body.ln_f.weight, body.ln_f.bias)
        self._head_DV = model.lm_head.weight.T
        self._shape, self._epsilon = body.ln_f.normalized_shape, body.ln_f.eps
        self._heads = model.config.n_head
        self._seen: list[Tensor] = []  # (keys and values, position, head, width, row) of a layer
        for layer in cache.layers:
            _, heads, self._length, width = layer.keys.shape
            room = layer.keys.new_empty(2, self._length + new_tokens, heads, width, len(prompt_R))
            for read, held in zip((layer.keys, layer.values), room, strict=True):
                _gather_rows(read.permute(2, 1, 3, 0).contiguous(), prompt_R, held)
            self._seen.append(room)

    def step(self, token_A: Tensor) -> Tensor:
        at = self._length
        self._length += 1
        x_AD = self._embedding_VD.index_select(0, token_A) + self._position_LD[at]
        for block, seen in zip(self._blocks, self._seen, strict=True):
            mixed_EA = torch.addmm(
                block.mixing_bias_E1,
                block.mixing_ED,
                self._normal(x_AD, block.before_attention).T,
            )
            attended_DA = self._attend(mixed_EA, seen[:, : self._length])
            x_AD = x_AD + _affine(attended_DA.T, block.projection)
            inner = _affine(self._normal(x_AD, block.before_mlp), block.inner)
            x_AD = x_AD + _affine(block.activation(inner), block.outer)
        return torch.mm(self._normal(x_AD, self._after), self._head_DV)

    def _attend(self, mixed_EA: Tensor, seen: Tensor) -> Tensor:
        """softmax(q k / sqrt(width)) v of the last position, whose key and value it keeps."""
        rows = mixed_EA.shape[1]
        query_HWA, *added = mixed_EA.view(3, self._heads, -1, rows)
        seen[0, -1], seen[1, -1] = added
        key_LHWA, value_LHWA = seen
        score_LHA = (key_LHWA * (query_HWA * query_HWA.shape[1] ** -0.5)).sum(2)
        weight_LHA = torch.softmax(score_LHA, 0)
        seen_DA: Tensor = (value_LHWA * weight_LHA.unsqueeze(2)).sum(0).view(-1, rows)
        return seen_DA

    def _normal(self, x_AD: Tensor, scale: tuple[Tensor, Tensor]) -> Tensor:
        return torch.layer_norm(x_AD, self._shape, *scale, self._epsilon)

    def keep(self, row_K: Tensor) -> None:
        for layer, seen in enumerate(self._seen):
            room = seen.new_empty(*seen.shape[:-1], len(row_K))
            for held, kept in zip(seen, room, strict=True):
                _gather_rows(held[: self._length], row_K, kept)
            self._seen[layer] = room


def _gather_rows(from_LHWR: Tensor, row_K: Tensor, to_MHWK: Tensor) -> None:
    """Copy these rows of L positions into the first L of M.

    They are matrices to torch, which gathers along the last of two dimensions many times as fast
    as along the last of four.
    """
    length, rows = len(from_LHWR), from_LHWR.shape[-1]
    to_JK = to_MHWK[:length].view(-1, len(row_K))
    torch.index_select(from_LHWR.view(-1, rows), 1, row_K, out=to_JK)


def _block(block: Any) -> _Block:
    mixing = block.attn.c_attn
    return _Block(
        (block.ln_1.weight, block.ln_1.bias),
        mixing.weight.T,
        mixing.bias.unsqueeze(1),
        (block.attn.c_proj.bias, block.attn.c_proj.weight),
        (block.ln_2.weight, block.ln_2.bias),
        (block.mlp.c_fc.bias, block.mlp.c_fc.weight),
        (block.mlp.c_proj.bias, block.mlp.c_proj.weight),
        block.mlp.act,
    )


def _affine(x_AD: Tensor, layer: tuple[Tensor, Tensor]) -> Tensor:
    bias, weight = layer
    return torch.addmm(bias, x_AD, weight)
