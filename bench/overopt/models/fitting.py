"""Supervised training: language models on reference texts, reward models on preferences.

One loop for both, through accelerate, so that it also runs on other devices: AdamW, linear
warm-up and cosine decay, clipping by global norm, batches of rows of similar length.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from torch import Tensor
from torch.nn import functional
from transformers import PreTrainedModel

from overopt.execution.contract import Progress, silent
from overopt.models.logprobs import response_logps
from overopt.models.optimizer import Stepper, build_optimizer
from overopt.models.reward import rewards, score
from overopt.models.sequences import Index, join, shuffle_batches
from overopt.spec.frozen import TrainingSpec
from overopt.worlds.preferences import Preferences
from overopt.worlds.tokens import Tokens, concatenate


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


@dataclass(frozen=True)
class RewardTraining:
    """A Bradley-Terry training: its trajectory, and loss and accuracy on held-out comparisons."""

    trajectory: Trajectory
    heldout_loss: float
    heldout_accuracy: float

    def summary(self) -> dict[str, float | int]:
        """What is kept of the training: its length, its loss at both ends, and on held-out data."""
        loss_K = self.trajectory.loss_K
        return {
            "steps": len(loss_K),
            "tokens": self.trajectory.tokens,
            "first_loss_nats": float(loss_K[0]),
            "last_loss_nats": float(loss_K[-10:].mean()),
            "heldout_loss_nats": self.heldout_loss,
            "heldout_accuracy": self.heldout_accuracy,
        }


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


def train_language_model(
    model: PreTrainedModel,
    prompts: Tokens,
    responses: Tokens,
    training: TrainingSpec,
    rng: np.random.Generator,
    progress: Progress = silent,
) -> Trajectory:
    """Maximum likelihood of the responses given their prompts; the model is changed in place.

    loss = -(sum over response tokens of log p(y_t | x, y_<t)) / (response tokens of the batch);
    prompt tokens are not learned.

    Args:
        model: a causal language model.
        prompts: N prompts.
        responses: the response of each, EOS included.
        training: optimizer, batch size and epochs.
        rng: source of the batches' order.
        progress: told the fraction done and a short text.

    Raises:
        FloatingPointError: where loss or gradient is not finite, naming the step.
    """

    def mean_loss(index_B: Index) -> Tensor:
        batch = join(prompts.take(index_B), responses.take(index_B), model.device)
        return -response_logps(model, batch).sum() / batch.mask_BT.sum()

    length_N = prompts.length_N + responses.length_N
    return _fit(model, mean_loss, length_N, int(length_N.sum()), training, rng, progress)


def bradley_terry_loss(chosen_reward_P: Tensor, rejected_reward_P: Tensor) -> Tensor:
    """-log sigmoid(r_w - r_l) of each comparison, nats.

    Reference: Stiennon et al., "Learning to summarize from human feedback", section 3.4,
        https://arxiv.org/abs/2009.01325
    """
    return -functional.logsigmoid(chosen_reward_P - rejected_reward_P)


def train_bradley_terry(
    model: PreTrainedModel,
    preferences: Preferences,
    heldout: Preferences,
    training: TrainingSpec,
    rng: np.random.Generator,
    progress: Progress = silent,
) -> RewardTraining:
    """Bradley-Terry likelihood of the preferences; the reward model is changed in place.

    Args:
        model: a sequence classifier with one output.
        preferences: comparisons to learn.
        heldout: comparisons to judge it by, at least one.
        training: optimizer, batch size (comparisons) and epochs.
        rng: source of the batches' order.
        progress: told the fraction done and a short text.

    Raises:
        FloatingPointError: where loss or gradient is not finite, naming the step.
        ValueError: where there are no held-out comparisons.
    """
    if heldout.rows() == 0:
        raise ValueError("a reward model's accuracy needs at least one held-out comparison")

    def mean_loss(index_B: Index) -> Tensor:
        part = preferences.take(index_B)
        both = concatenate([part.chosen, part.rejected])
        batch = join(concatenate([part.prompts, part.prompts]), both, model.device)
        chosen_P, rejected_P = rewards(model, batch).chunk(2)
        return bradley_terry_loss(chosen_P, rejected_P).mean()

    prompt_P, chosen_P, rejected_P = (part.length_N for part in preferences)
    length_P = prompt_P + np.maximum(chosen_P, rejected_P)
    tokens = int((2 * prompt_P + chosen_P + rejected_P).sum())
    trajectory = _fit(model, mean_loss, length_P, tokens, training, rng, progress)
    margin_P = _margins(model, heldout)
    return RewardTraining(
        trajectory,
        heldout_loss=float(np.logaddexp(0.0, -margin_P).mean()),
        heldout_accuracy=float(((margin_P > 0) + 0.5 * (margin_P == 0)).mean()),
    )


def _margins(model: PreTrainedModel, preferences: Preferences) -> npt.NDArray[np.float64]:
    """Reward of the preferred response less that of the other, (P,)."""
    chosen_P = score(model, preferences.prompts, preferences.chosen)
    return chosen_P - score(model, preferences.prompts, preferences.rejected)


def _fit(
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
