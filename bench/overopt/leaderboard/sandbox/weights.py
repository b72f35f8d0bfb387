"""Weights from a stranger, read from safetensors and held against a model of ours."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor

from overopt.errors import UserError, one_line


def read_weights(content: bytes, wanted: Mapping[str, Tensor], where: str) -> dict[str, Tensor]:
    """Weights of exactly a model's names, shapes and types, all of them finite.

    Args:
        content: of a safetensors file.
        wanted: the state of a model of the architecture.
        where: whose they are, for messages.

    Raises:
        UserError: they are something else.
    """
    try:
        found: dict[str, Tensor] = load(content)
    except (SafetensorError, ValueError, KeyError) as error:
        # a KeyError for types that safetensors knows and torch does not, such as F4
        told = one_line(str(error), 100)
        raise UserError(f"{where}: the weights are no safetensors: {told}.") from error
    for name in sorted(set(wanted) ^ set(found)):
        raise UserError(f"{where}: the tensor {one_line(name, 100)} is missing or unknown.")
    for name, tensor in found.items():
        if tensor.shape != wanted[name].shape or tensor.dtype != wanted[name].dtype:
            raise UserError(f"{where}: the tensor {name} has another shape or type.")
        if not torch.isfinite(tensor).all():
            raise UserError(f"{where}: the tensor {name} holds NaN or infinity.")
    return found
