"""The loop of supervised training, of language models and of reward models.

Through accelerate, so that it also runs on other devices: AdamW, linear warm-up and cosine decay,
clipping by global norm, batches of rows of similar length.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from torch import Tensor
from transformers import PreTrainedModel

from overopt.execution.contract import Progress
from overopt.models.optimizer import Stepper, build_optimizer
from overopt.models.sequences import Index, shuffle_batches
from overopt.spec.training import TrainingSpec


@dataclass(frozen=True)
class Trajectory:
    """What each of K optimizer steps saw.

    loss_K: loss of the step's batch before the step, nats (per token, or per comparison).
    gradient_norm_K: global norm of its gradient before clipping.
    tokens: tokens that went through the model, padding left out.
    """

    loss_K: npt.NDArray[np.float64]
    gradient_norm_K: npt.NDArray[np.float64]
    tokens: int


def warmup_cosine(step: int, steps: int, warmup_steps: int) -> float:
    """Learning rate of a step as a fraction of its peak: linear warm-up, then cosine to zero.

    (s + 1) / w for s < w, else (1 + cos(pi (s - w) / (S - w))) / 2.

    Args:
        step: s, counted from 0.
        steps: S, all of them.
        warmup_steps: w.
    """
    if step < warmup_steps:
        return (step + 1) / warmup_steps
    return 0.5 * (1.0 + math.cos(math.pi * (step - warmup_steps) / max(1, steps - warmup_steps)))


def fit(
    model: PreTrainedModel,
    mean_loss: Callable[[Index], Tensor],
    length_N: npt.NDArray[np.integer],
    tokens_per_epoch: int,
    training: TrainingSpec,
    rng: np.random.Generator,
    progress: Progress,
) -> Trajectory:
    """All epochs of one supervised training; the model ends in evaluation mode."""
    steps = training.epochs * math.ceil(len(length_N) / training.batch_size)
    warmup_steps = math.ceil(training.warmup_fraction * steps)
    stepper = Stepper(
        model,
        build_optimizer(model, training.learning_rate, training.weight_decay),
        training.max_gradient_norm,
        lambda step: warmup_cosine(step, steps, warmup_steps),
    )
    model.train()
    for _ in range(training.epochs):
        for index_B in shuffle_batches(length_N, training.batch_size, rng):
            loss = stepper.step(mean_loss(index_B))
            progress(stepper.steps_taken / steps, f"loss {loss:.3f}")
    model.eval()
    return Trajectory(
        np.array(stepper.loss), np.array(stepper.gradient_norm), training.epochs * tokens_per_epoch
    )
