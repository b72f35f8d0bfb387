"""Decoding with C policies at once: prompts read once, keys and values kept, a token at a time."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor
from torch.nn import functional

from overopt.engines.stacked.model import StackedPolicy


class StackedDecoder:
    """C x R rows on their way, each with the keys and values of its tokens.

    Attributes:
        logits_CRV: of what follows the last token read.

    Args:
        policy: the forward pass.
        weights: of C policies.
        prompt_CBL: int64, B prompts of each cell, all of one length.
        index_R: int64, which of them each row continues, in every cell.
        new_tokens: most steps that will follow.
    """

    def __init__(
        self,
        policy: StackedPolicy,
        weights: Mapping[str, Tensor],
        prompt_CBL: Tensor,
        index_R: Tensor,
        new_tokens: int,
    ) -> None:
        self._policy, self._weights = policy, weights
        self._length = 0
        self._room: list[Tensor] = []  # (keys and values, C x R, H, positions, W) of a block
        cells, prompts, length = prompt_CBL.shape

        def attend(mixed_CNE: Tensor) -> Tensor:
            query, key, value = policy.split(mixed_CNE, cells * prompts)
            self._room.append(_repeat((key, value), cells, index_R, length + new_tokens))
            seen = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
            return seen.transpose(1, 2).reshape(cells, prompts * length, -1)

        x_CND = policy.embed(weights, prompt_CBL, 0)
        for number in range(policy.blocks):
            x_CND = policy.block(weights, number, x_CND, attend)
        self._length = length
        last_CBD = x_CND.view(cells, prompts, length, -1)[:, :, -1]
        logits_CBV = policy.head(weights, policy.last_norm(weights, last_CBD))
        self.logits_CRV = logits_CBV[:, index_R]

    def step(self, token_CR: Tensor) -> None:
        """Append a token to each row."""
        policy, at = self._policy, self._length
        self._length += 1
        x_CRD = policy.embed(self._weights, token_CR.unsqueeze(-1), at)
        rooms = iter(self._room)

        def attend(mixed_CRE: Tensor) -> Tensor:
            room = next(rooms)
            query, *added = policy.split(mixed_CRE, token_CR.numel())
            for held, new in zip(room, added, strict=True):
                held[:, :, at] = new[:, :, 0]
            key, value = room[:, :, :, : self._length]
            seen = functional.scaled_dot_product_attention(query, key, value)
            return seen.reshape(*token_CR.shape, -1)

        for number in range(policy.blocks):
            x_CRD = policy.block(self._weights, number, x_CRD, attend)
        self.logits_CRV = policy.head(self._weights, policy.last_norm(self._weights, x_CRD))


def _repeat(read: tuple[Tensor, Tensor], cells: int, index_R: Tensor, positions: int) -> Tensor:
    """Room for keys and values of all rows, those of the prompts filled in."""
    _, heads, length, width = read[0].shape
    rows = cells * len(index_R)
    room = read[0].new_zeros(2, rows, heads, positions, width)
    for held, part in zip(room, read, strict=True):
        per_cell = part.reshape(cells, -1, heads, length, width)
        held[:, :, :length] = per_cell[:, index_R].view(rows, heads, length, width)
    return room
