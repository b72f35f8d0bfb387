"""GPT-2 with a leading cell axis: C policies of one shape in each matrix product.

Weights lie as (C, ...), rows as a rectangle (C, R, L) whose size is the world's and not the data's.
Batched products multiply each cell by itself, and nothing here adds up over cells, so that what a
cell computes does not depend on its neighbors, to the last bit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional
from transformers import PreTrainedModel

from overopt.errors import UserError
from overopt.models.packed import is_plain

Stacked = dict[str, Tensor]
"""Weights by the names of a policy's parameters, each with a leading cell axis."""


def stack(weights: Sequence[Mapping[str, Tensor]]) -> Stacked:
    """The weights of C policies side by side."""
    return {name: torch.stack([one[name].detach() for one in weights]) for name in weights[0]}


def unstack(stacked: Mapping[str, Tensor], cell: int) -> dict[str, Tensor]:
    """The weights of one of the policies; they share the stack's memory."""
    return {name: value.detach()[cell] for name, value in stacked.items()}


class Said(NamedTuple):
    """What C policies say of their rows.

    logits_CRLV: of what follows every token.
    states_JCRLD: hidden states of the embeddings and of every block, the last after the final norm;
        None if not asked for.
    """

    logits_CRLV: Tensor
    states_JCRLD: tuple[Tensor, ...] | None


class StackedPolicy:
    """The forward pass of C policies that are shaped as one.

    Attributes:
        blocks, heads: how many there are, and heads in each block.

    Args:
        shaped: a policy of the shape, whose weights are not used.

    Raises:
        UserError: it is not a small GPT-2 as it is.
    """

    def __init__(self, shaped: PreTrainedModel) -> None:
        device = shaped.device
        plain = is_plain(shaped.cpu())  # it is told on the CPU only, and a module moves in place
        shaped.to(device)
        if not plain:
            raise UserError(
                "the engine stacked trains small policies made from scratch only; give --engine "
                "native."
            )
        body: Any = shaped.base_model
        self._activation = body.h[0].mlp.act
        self.blocks, self.heads = len(body.h), int(shaped.config.n_head)
        self._epsilon = float(body.ln_f.eps)

    def read(
        self, weights: Mapping[str, Tensor], ids_CRL: Tensor, with_states: bool = False
    ) -> Said:
        """What every row's tokens are followed by.

        Args:
            weights: of C policies.
            ids_CRL: int64, rows of any tokens; a token sees those before it and itself.
            with_states: whether hidden states are kept.
        """
        states = self._run(weights, ids_CRL)
        shape = (*ids_CRL.shape, -1)
        logits_CNV = self.head(weights, states[-1])
        kept = tuple(state.view(shape) for state in states) if with_states else None
        return Said(logits_CNV.view(shape), kept)

    def last_states(self, weights: Mapping[str, Tensor], ids_CRL: Tensor) -> Tensor:
        """States (C, R, L, D) after the last block and its norm."""
        return self._run(weights, ids_CRL)[-1].view(*ids_CRL.shape, -1)

    def _run(self, weights: Mapping[str, Tensor], ids_CRL: Tensor) -> list[Tensor]:
        """States (C, N, D) of the embeddings and all blocks, the last after the final norm."""
        cells, rows, length = ids_CRL.shape

        def attend(mixed_CNE: Tensor) -> Tensor:
            query, key, value = self.split(mixed_CNE, cells * rows)
            seen = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
            return seen.transpose(1, 2).reshape(cells, rows * length, -1)

        states = [self.embed(weights, ids_CRL, 0)]
        for number in range(self.blocks):
            states.append(self.block(weights, number, states[-1], attend))
        states[-1] = self.last_norm(weights, states[-1])
        return states

    def embed(self, weights: Mapping[str, Tensor], ids_CRL: Tensor, first: int) -> Tensor:
        """Embeddings (C, R x L, D) of tokens whose positions count from ``first``."""
        cells, rows, length = ids_CRL.shape
        embedding_CVD = weights["transformer.wte.weight"]
        vocabulary, width = embedding_CVD.shape[1:]
        own_C = vocabulary * torch.arange(cells, device=ids_CRL.device)
        x_CRLD = functional.embedding(
            ids_CRL + own_C[:, None, None], embedding_CVD.reshape(-1, width)
        )
        position_CLD = weights["transformer.wpe.weight"][:, first : first + length]
        return (x_CRLD + position_CLD[:, None]).view(cells, rows * length, width)

    def block(
        self,
        weights: Mapping[str, Tensor],
        number: int,
        x_CND: Tensor,
        attend: Callable[[Tensor], Tensor],
    ) -> Tensor:
        """States (C, N, D) after a block.

        Args:
            weights: of C policies.
            number: of the block.
            x_CND: states before it.
            attend: from the queries, keys and values of all tokens, (C, N, 3 D), to what each saw.
        """
        name = f"transformer.h.{number}."
        mixed_CNE = _affine(
            self._normal(x_CND, weights, f"{name}ln_1"), weights, f"{name}attn.c_attn"
        )
        x_CND = x_CND + _affine(attend(mixed_CNE), weights, f"{name}attn.c_proj")
        inner = _affine(self._normal(x_CND, weights, f"{name}ln_2"), weights, f"{name}mlp.c_fc")
        return x_CND + _affine(self._activation(inner), weights, f"{name}mlp.c_proj")

    def split(self, mixed_CNE: Tensor, rows: int) -> Tensor:
        """Queries, keys and values (3, rows, H, L, W) of all cells' rows."""
        return mixed_CNE.view(
            rows, -1, 3, self.heads, mixed_CNE.shape[-1] // 3 // self.heads
        ).permute(2, 0, 3, 1, 4)

    def last_norm(self, weights: Mapping[str, Tensor], x_CND: Tensor) -> Tensor:
        """States after the last block, as the head reads them."""
        return self._normal(x_CND, weights, "transformer.ln_f")

    def head(self, weights: Mapping[str, Tensor], x_CND: Tensor) -> Tensor:
        """Logits (C, N, V)."""
        return torch.bmm(x_CND, weights["transformer.wte.weight"].transpose(1, 2))

    def _normal(self, x_CND: Tensor, weights: Mapping[str, Tensor], name: str) -> Tensor:
        plain = functional.layer_norm(x_CND, x_CND.shape[-1:], eps=self._epsilon)
        return plain * weights[f"{name}.weight"][:, None] + weights[f"{name}.bias"][:, None]


def _affine(x_CND: Tensor, weights: Mapping[str, Tensor], name: str) -> Tensor:
    return torch.baddbmm(weights[f"{name}.bias"][:, None], x_CND, weights[f"{name}.weight"])
