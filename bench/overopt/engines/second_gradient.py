"""A gradient taken a second time, beside the policy's weights, for methods that ask for it."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from transformers import PreTrainedModel

from overopt.engines.method.training import TrainedMethod


def corrector(
    method: TrainedMethod, policy: PreTrainedModel, again: Callable[[], Tensor] | None
) -> Callable[[dict[str, Tensor]], None] | None:
    """What replaces the policy's gradients by those of the method; None if it perturbs nothing.

    Args:
        method: which supplies ``perturb`` and ``correct``.
        policy: whose weights are moved for a moment; they come back to the last bit.
        again: the loss of the same rows under the weights as they then are; None: no correction.
    """
    if again is None or not method.perturbs:
        return None

    def correct(gradient: dict[str, Tensor]) -> None:
        first = {name: value.clone() for name, value in gradient.items()}
        shift = method.perturb(first)
        weights = dict(policy.named_parameters())
        kept = {name: weights[name].detach().clone() for name in shift}
        with torch.no_grad():
            for name, value in shift.items():
                weights[name].add_(value)
        second = dict(
            zip(
                first,
                torch.autograd.grad(again(), [weights[name] for name in first]),
                strict=True,
            )
        )
        with torch.no_grad():
            for name, value in kept.items():
                weights[name].copy_(value)
            for name, value in method.correct(first, second).items():
                gradient[name].copy_(value)

    return correct
