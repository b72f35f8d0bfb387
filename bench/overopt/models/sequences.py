"""Prompts and responses joined for a model, and the order in which rows share a batch.

Rows are ``[prompt | response | padding]``. Padding stands on the right, so a causal model never
attends to it from a real token, and positions count from the prompt's first token.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from overopt.worlds.tokens import PAD, Tokens

Index = npt.NDArray[np.int64]

_BATCHES_PER_POOL = 32
_WASTE_MAX = 0.2
_PART_TOKENS = 1024
_PARTS_MAX = 4


class Batch(NamedTuple):
    """B joined rows of at most L tokens, whose responses have at most T tokens.

    ids_BL: int64, ``[prompt | response | PAD]``.
    attention_BL: int64, 1 on tokens and 0 on padding.
    prompt_length_B: int64, tokens of each prompt.
    mask_BT: bool, True on response tokens (EOS included), aligned with the response's start.
    prompt_length_min: the shortest prompt that the batch was joined with, as a plain number.
    """

    ids_BL: Tensor
    attention_BL: Tensor
    prompt_length_B: Tensor
    mask_BT: Tensor
    prompt_length_min: int

    def narrow(self, length: int) -> Batch:
        """The same rows without what stands beyond ``length`` tokens; responses keep their T."""
        return self._replace(
            ids_BL=self.ids_BL[:, :length], attention_BL=self.attention_BL[:, :length]
        )


def join(prompts: Tokens, responses: Tokens, device: torch.device | str | None = None) -> Batch:
    """One batch of the rows ``[prompt | response | PAD]``.

    Args:
        prompts: B prompts of at least one token each.
        responses: B responses, the row of each prompt.
        device: where the tensors go; the CPU by default.

    Raises:
        ValueError: where the row counts differ or a prompt is empty.
    """
    if prompts.rows() != responses.rows():
        raise ValueError(f"{prompts.rows()} prompts cannot join {responses.rows()} responses")
    if prompts.rows() and int(prompts.length_N.min()) < 1:
        raise ValueError("a prompt needs at least one token: the first prediction starts from it")
    prompt_length_B = prompts.length_N.astype(np.int64)
    mask_BT = responses.mask_NT
    length_max = int((prompt_length_B + responses.length_N).max(initial=0))
    ids_BL = np.full((prompts.rows(), length_max), PAD, dtype=np.int64)
    width = min(prompts.ids_NT.shape[1], length_max)
    ids_BL[:, :width] = prompts.ids_NT[:, :width]
    row_K, column_K = np.nonzero(mask_BT)
    ids_BL[row_K, prompt_length_B[row_K] + column_K] = responses.ids_NT[row_K, column_K]
    attention_BL = np.arange(length_max) < (prompt_length_B + responses.length_N)[:, None]
    return Batch(
        ids_BL=torch.from_numpy(ids_BL).to(device),
        attention_BL=torch.from_numpy(attention_BL.astype(np.int64)).to(device),
        prompt_length_B=torch.from_numpy(prompt_length_B).to(device),
        mask_BT=torch.from_numpy(mask_BT).to(device),
        prompt_length_min=int(prompt_length_B.min(initial=np.iinfo(np.int64).max)),
    )


def align(value_BK: Tensor, batch: Batch, later: int = 0) -> Tensor:
    """Values of the predicted positions moved so that column t belongs to response token t.

    Args:
        value_BK: a value for each predicted token, column 0 being the token that follows the
            shortest prompt; more dimensions may follow, such as (B, K, D), and more columns.
        batch: the rows the values belong to.
        later: how many columns further to look.

    Returns:
        (B, T) and what follows, zero where the mask is False.
    """
    tokens_max = batch.mask_BT.shape[1]
    first_B1 = (batch.prompt_length_B - batch.prompt_length_min + later)[:, None]
    column_BT = first_B1 + torch.arange(tokens_max, device=value_BK.device)
    column_BT = column_BT.clamp(max=value_BK.shape[1] - 1)
    outside_BT = ~batch.mask_BT
    if value_BK.dim() == 2:
        return value_BK.gather(1, column_BT).masked_fill(outside_BT, 0.0)
    rows, columns, *more = value_BK.shape
    # whole vectors are copied; gather would look up an index for each of their numbers
    start_B1 = columns * torch.arange(rows, device=value_BK.device)[:, None]
    flat_SX = value_BK.reshape(rows * columns, -1)
    value_SX = flat_SX.index_select(0, (start_B1 + column_BT).flatten())
    outside_BT = outside_BT.view(rows, tokens_max, *(1 for _ in more))
    return value_SX.view(rows, tokens_max, *more).masked_fill(outside_BT, 0.0)


def take_rows(batch: Batch, index_B: Tensor) -> Batch:
    """Some rows of a batch, with its width and its offset of the responses kept."""
    return Batch(
        batch.ids_BL[index_B],
        batch.attention_BL[index_B],
        batch.prompt_length_B[index_B],
        batch.mask_BT[index_B],
        batch.prompt_length_min,
    )


def bucket_rows(length_N: npt.NDArray[np.integer], batch_tokens: int) -> list[Index]:
    """Row indices in batches of similar length, each of at most ``batch_tokens`` padded tokens.

    Rows are sorted by length (stable), so that hardly any padding is computed; a row longer than
    the limit stands alone.

    Args:
        length_N: tokens of each row.
        batch_tokens: most rows x longest row of one batch.
    """
    order_N = np.argsort(length_N, kind="stable")
    sorted_N = np.asarray(length_N)[order_N].astype(np.int64)
    batches: list[Index] = []
    start = 0
    while start < len(order_N):
        ahead_K = sorted_N[start : start + batch_tokens]
        cost_K = ahead_K * np.arange(1, len(ahead_K) + 1)
        rows = max(1, int(np.searchsorted(cost_K, batch_tokens, side="right")))
        batches.append(order_N[start : start + rows])
        start += rows
    return batches


def consecutive_rows(length_N: npt.NDArray[np.integer], batch_tokens: int) -> list[Index]:
    """Row indices in batches of neighbors, each of at most ``batch_tokens`` tokens.

    For passes that compute no padding and share what neighbors have in common; a row longer than
    the limit stands alone.
    """
    end_N = np.cumsum(np.asarray(length_N).astype(np.int64))
    batches: list[Index] = []
    start = 0
    while start < len(end_N):
        before = 0 if start == 0 else end_N[start - 1]
        stop = max(start + 1, int(np.searchsorted(end_N, before + batch_tokens, side="right")))
        batches.append(np.arange(start, stop))
        start = stop
    return batches


def batch_rows(
    length_N: npt.NDArray[np.integer], batch_tokens: int, neighbors: bool
) -> list[Index]:
    """Row indices in batches of neighbors, or of similar length where padding is computed."""
    divide = consecutive_rows if neighbors else bucket_rows
    return divide(length_N, batch_tokens)


def split_by_length(batch: Batch) -> list[tuple[Tensor, int]]:
    """Parts of a batch that are worth a pass of their own: their rows, and their longest length.

    A single part, unless more than a fifth of the batch is padding and there are enough tokens to
    pay for further passes (1,024 each); never more than four.
    """
    length_B = batch.prompt_length_B + batch.mask_BT.sum(1)
    tokens = int(length_B.sum())
    parts = min(_PARTS_MAX, tokens // _PART_TOKENS)
    if parts < 2 or tokens >= (1 - _WASTE_MAX) * batch.ids_BL.numel():
        return [(torch.arange(len(length_B), device=length_B.device), batch.ids_BL.shape[1])]
    order_B = torch.argsort(length_B, stable=True)
    return [(rows_P, int(length_B[rows_P[-1]])) for rows_P in order_B.chunk(parts)]


def shuffle_batches(
    length_N: npt.NDArray[np.integer], batch_size: int, rng: np.random.Generator
) -> list[Index]:
    """One epoch of training batches in random order, rows of similar length together.

    A random permutation is cut into pools of 32 batches; each pool is sorted by length and cut
    into batches; the batches are shuffled. Every row occurs exactly once; all batches but one
    hold ``batch_size`` rows.

    Args:
        length_N: tokens of each row.
        batch_size: rows of a batch.
        rng: source of the order.
    """
    order_N = rng.permutation(len(length_N))
    pool_rows = batch_size * _BATCHES_PER_POOL
    batches: list[Index] = []
    for start in range(0, len(order_N), pool_rows):
        pool_K = order_N[start : start + pool_rows]
        pool_K = pool_K[np.argsort(np.asarray(length_N)[pool_K], kind="stable")]
        batches += [pool_K[cut : cut + batch_size] for cut in range(0, len(pool_K), batch_size)]
    return [batches[position] for position in rng.permutation(len(batches))]
