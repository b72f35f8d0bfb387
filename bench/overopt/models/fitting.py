"""Supervised training: language models on reference texts, reward models on preferences.

One loop for both, through accelerate, so that it also runs on other devices: AdamW, linear
warm-up and cosine decay, clipping by global norm, batches of rows of similar length.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedModel

from overopt.models.logprobs import response_logps
from overopt.models.reward import rewards, score
from overopt.models.sequences import Index, join, shuffle_batches
from overopt.spec.training import TrainingSpec
from overopt.worlds.tokens import Tokens, concatenate

ProgressCallback = Callable[[float, str], None]


class Preferences(NamedTuple):
    """P comparisons: a prompt, the response that was preferred, and the one that was not."""

    prompts: Tokens
    chosen: Tokens
    rejected: Tokens

    def take(self, index_P: npt.NDArray[np.integer] | npt.NDArray[np.bool_]) -> Preferences:
        """The chosen rows."""
        return Preferences(
            self.prompts.take(index_P), self.chosen.take(index_P), self.rejected.take(index_P)
        )

    def rows(self) -> int:
        """Number of comparisons P."""
        return self.prompts.rows()


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


def build_optimizer(
    model: PreTrainedModel, learning_rate: float, weight_decay: float = 0.0
) -> torch.optim.AdamW:
    """AdamW that decays matrices and embeddings, and neither biases nor norms.

    Args:
        model: whose trainable parameters are optimized.
        learning_rate: peak learning rate.
        weight_decay: decoupled decay of parameters with two or more dimensions.

    Reference: Loshchilov, Hutter, "Decoupled Weight Decay Regularization", algorithm 2,
        https://arxiv.org/abs/1711.05101
    """
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    groups = [
        {"params": [p for p in trained if p.dim() >= 2], "weight_decay": weight_decay},
        {"params": [p for p in trained if p.dim() < 2], "weight_decay": 0.0},
    ]
    trained_groups = [group for group in groups if group["params"]]
    return torch.optim.AdamW(trained_groups, lr=learning_rate, fused=True)


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


class Stepper:
    """Optimizer steps of one model, clipped and checked, through accelerate.

    Args:
        model: trained in place, on the device that accelerate chooses.
        optimizer: as ``build_optimizer`` makes it.
        max_gradient_norm: largest global norm of the gradient.
        rate_at: fraction of the peak learning rate at a step; constant 1 by default.
        beside: a further module whose parameters the optimizer holds too; its gradient is clipped
            on its own, so that neither can crowd out the other.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        optimizer: torch.optim.Optimizer,
        max_gradient_norm: float,
        rate_at: Callable[[int], float] = lambda _step: 1.0,
        beside: nn.Module | None = None,
    ) -> None:
        self.accelerator = Accelerator()
        self.model, self.optimizer = self.accelerator.prepare(model, optimizer)
        self.beside = None if beside is None else beside.to(self.accelerator.device)
        self.max_gradient_norm = max_gradient_norm
        self.rate_at = rate_at
        self.peaks = [float(group["lr"]) for group in optimizer.param_groups]
        self.loss: list[float] = []
        self.gradient_norm: list[float] = []

    @property
    def steps_taken(self) -> int:
        """Steps taken so far."""
        return len(self.loss)

    def step(self, loss: Tensor) -> float:
        """One step down the gradient of a scalar loss; returns the loss.

        Raises:
            FloatingPointError: where loss or gradient is not finite, naming the step.
        """
        step = self.steps_taken
        for group, peak in zip(self.optimizer.param_groups, self.peaks, strict=True):
            group["lr"] = peak * self.rate_at(step)
        self.accelerator.backward(loss)
        norm = self.accelerator.clip_grad_norm_(self.model.parameters(), self.max_gradient_norm)
        value, norm_value = float(loss.detach()), float(norm)
        if self.beside is not None:
            own = torch.nn.utils.clip_grad_norm_(self.beside.parameters(), self.max_gradient_norm)
            norm_value = math.hypot(norm_value, float(own))
        if not (math.isfinite(value) and math.isfinite(norm_value)):
            raise FloatingPointError(
                f"step {step + 1}: loss {value}, gradient norm {norm_value}; "
                "lower the learning rate"
            )
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.loss.append(value)
        self.gradient_norm.append(norm_value)
        return value


def train_language_model(
    model: PreTrainedModel,
    prompts: Tokens,
    responses: Tokens,
    training: TrainingSpec,
    rng: np.random.Generator,
    progress: ProgressCallback | None = None,
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
    progress: ProgressCallback | None = None,
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
    progress: ProgressCallback | None,
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
            if progress is not None:
                progress(stepper.steps_taken / steps, f"loss {loss:.3f}")
    model.eval()
    return Trajectory(
        np.array(stepper.loss), np.array(stepper.gradient_norm), training.epochs * tokens_per_epoch
    )
