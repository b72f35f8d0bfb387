"""A model's weights by name, and its mode."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor
from transformers import PreTrainedModel


@contextmanager
def evaluating(model: PreTrainedModel) -> Iterator[None]:
    """Evaluation mode without gradients inside the block; the model's mode is restored after it."""
    was_training = model.training
    if was_training:
        model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        if was_training:
            model.train()


def weights_of(model: PreTrainedModel) -> dict[str, Tensor]:
    """The parameters of a model by name, without gradient; they still share its memory."""
    return {name: value.detach() for name, value in model.named_parameters()}


def set_weights(model: PreTrainedModel, weights: Mapping[str, Tensor]) -> None:
    """Copy these weights into a model.

    Raises:
        ValueError: if a parameter is missing, or there is one that the model does not have.
    """
    own = dict(model.named_parameters())
    if own.keys() != weights.keys():
        raise ValueError(f"weights do not fit the model: {sorted(own.keys() ^ weights.keys())}")
    with torch.no_grad():
        for name, value in own.items():
            value.copy_(weights[name])
