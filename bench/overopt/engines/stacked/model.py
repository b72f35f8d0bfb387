"""GPT-2 with a leading cell axis: C policies of one shape in each matrix product.

Weights lie as (C, ...), rows as a rectangle (C, R, L) whose size is the world's and not the data's.
Batched products multiply each cell by itself, and nothing here adds up over cells, so that what a
cell computes does not depend on its neighbors, to the last bit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

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


class StackedPolicy:
    """The forward pass of C policies that are shaped as one.

    Args:
        shaped: a policy of the shape, whose weights are not used.

    Raises:
        UserError: it is not a small GPT-2 as it is.
    """

    def __init__(self, shaped: PreTrainedModel) -> None:
        if not is_plain(shaped.cpu()):
            raise UserError(
                "the engine stacked trains small policies made from scratch only; give --engine "
                "native."
            )
        body: Any = shaped.base_model
        self._activation = body.h[0].mlp.act
        self._blocks = len(body.h)
        self._heads = int(shaped.config.n_head)
        self._epsilon = float(body.ln_f.eps)

    def logits(self, weights: Mapping[str, Tensor], ids_CRL: Tensor) -> Tensor:
        """Logits (C, R, L, V) of what follows every token.

        Args:
            weights: of C policies.
            ids_CRL: int64, rows of any tokens; a token sees those before it and itself.
        """
        cells, rows, length = ids_CRL.shape
        embedding_CVD = weights["transformer.wte.weight"]
        vocabulary, width = embedding_CVD.shape[1:]
        own_C = vocabulary * torch.arange(cells, device=ids_CRL.device)
        x_CRLD = functional.embedding(
            ids_CRL + own_C[:, None, None], embedding_CVD.reshape(-1, width)
        )
        x_CRLD = x_CRLD + weights["transformer.wpe.weight"][:, None, :length]
        x_CND = x_CRLD.view(cells, rows * length, width)
        for number in range(self._blocks):
            name = f"transformer.h.{number}."
            mixed_CNE = _affine(
                self._normal(x_CND, weights, f"{name}ln_1"), weights, f"{name}attn.c_attn"
            )
            heads = mixed_CNE.view(cells * rows, length, 3, self._heads, -1).permute(2, 0, 3, 1, 4)
            query, key, value = heads
            seen = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
            seen_CND = seen.transpose(1, 2).reshape(cells, rows * length, width)
            x_CND = x_CND + _affine(seen_CND, weights, f"{name}attn.c_proj")
            inner = _affine(self._normal(x_CND, weights, f"{name}ln_2"), weights, f"{name}mlp.c_fc")
            x_CND = x_CND + _affine(self._activation(inner), weights, f"{name}mlp.c_proj")
        x_CND = self._normal(x_CND, weights, "transformer.ln_f")
        logits_CNV = torch.bmm(x_CND, embedding_CVD.transpose(1, 2))
        return logits_CNV.view(cells, rows, length, vocabulary)

    def _normal(self, x_CND: Tensor, weights: Mapping[str, Tensor], name: str) -> Tensor:
        plain = functional.layer_norm(x_CND, x_CND.shape[-1:], eps=self._epsilon)
        return plain * weights[f"{name}.weight"][:, None] + weights[f"{name}.bias"][:, None]


def _affine(x_CND: Tensor, weights: Mapping[str, Tensor], name: str) -> Tensor:
    return torch.baddbmm(weights[f"{name}.bias"][:, None], x_CND, weights[f"{name}.weight"])
