"""Prompts and samples on their way to a loss, for either engine: their order and rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from overopt.methods.contract.training import Training


def prompt_batches(
    prompts: int, prompts_per_step: int, generator: torch.Generator
) -> Iterator[npt.NDArray[np.int64]]:
    """Indices of the prompts of one step after another, epoch after epoch, for ever."""
    size = min(prompts_per_step, prompts)
    while True:
        order = torch.randperm(prompts, generator=generator).numpy()
        yield from order[: prompts // size * size].reshape(-1, size)


def deal(items: int, training: Training, generator: torch.Generator) -> Iterator[Tensor]:
    """Indices of one minibatch after another, over the method's inner epochs.

    A single minibatch holds everything in order and draws no random number.
    """
    for _ in range(training.epochs):
        if training.minibatches == 1:
            yield torch.arange(items)
        else:
            order = torch.randperm(items, generator=generator)
            yield from (part for part in order.chunk(training.minibatches) if len(part))


def steps_dealt(items: int, training: Training) -> int:
    """How many minibatches ``deal`` yields, of one item or more."""
    return training.epochs * len(torch.arange(items).chunk(training.minibatches))


class RolloutRow(NamedTuple):
    """The samples drawn after ``step`` gradient steps, and the step taken on them.

    kl_nats: Rao-Blackwellized estimate on these samples, or on the probe's where they were drawn at
        a temperature other than 1.
    loss, gradient_norm: of the step taken on them; None for the last samples, which none follows.
    reward_mean: proxy reward, in SDs of the initial policy. length_mean: response tokens.
    entropy_nats: mean over responses of the entropies of the policy at their tokens, summed.
    """

    step: int
    kl_nats: float
    loss: float | None
    gradient_norm: float | None
    reward_mean: float
    length_mean: float
    entropy_nats: float
