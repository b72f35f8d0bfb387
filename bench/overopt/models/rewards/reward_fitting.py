"""Training of reward models on preferences."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
from torch import Tensor
from torch.nn import functional
from transformers import PreTrainedModel

from overopt.execution.contract import Progress, silent
from overopt.models.fitting import Trajectory, fit
from overopt.models.rewards.reward import rewards, score
from overopt.models.sequences import Index, join
from overopt.spec.training import TrainingSpec
from overopt.worlds.preferences import Preferences
from overopt.worlds.tokens import concatenate

RewardLoss = Callable[[Tensor, Tensor], Tensor]
"""Loss (P,) of P comparisons, from the rewards (P,) of the preferred response and of the other."""


@dataclass(frozen=True)
class RewardTraining:
    """A reward model's training: its trajectory, and loss and accuracy on held-out comparisons."""

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


def bradley_terry_loss(chosen_reward_P: Tensor, rejected_reward_P: Tensor) -> Tensor:
    """-log sigmoid(r_w - r_l) of each comparison, nats.

    Reference: Stiennon et al., "Learning to summarize from human feedback", section 3.4,
        https://arxiv.org/abs/2009.01325
    """
    return -functional.logsigmoid(chosen_reward_P - rejected_reward_P)


def train_reward(
    model: PreTrainedModel,
    preferences: Preferences,
    heldout: Preferences,
    training: TrainingSpec,
    rng: np.random.Generator,
    progress: Progress = silent,
    loss: RewardLoss = bradley_terry_loss,
) -> RewardTraining:
    """A reward model learns preferences, by default by their likelihood; it is changed in place.

    Args:
        model: a sequence classifier with one output.
        preferences: comparisons to learn.
        heldout: comparisons to judge it by, at least one.
        training: optimizer, batch size (comparisons) and epochs.
        rng: source of the batches' order.
        progress: told the fraction done and a short text.
        loss: of each comparison, from the rewards of its two sides. Loss and accuracy on held-out
            comparisons are those of Bradley-Terry whatever it is, so that they compare.

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
        return loss(chosen_P, rejected_P).mean()

    judge = partial(_margins, model, heldout)
    return fit_comparisons(model, mean_loss, judge, preferences, training, rng, progress)


def fit_comparisons(
    model: PreTrainedModel,
    mean_loss: Callable[[Index], Tensor],
    margins: Callable[[], npt.NDArray[np.float64]],
    preferences: Preferences,
    training: TrainingSpec,
    rng: np.random.Generator,
    progress: Progress = silent,
) -> RewardTraining:
    """A reward model goes down any loss over comparisons; see ``train_reward``.

    Args:
        model: trained in place.
        mean_loss: over the comparisons of these rows of ``preferences``.
        margins: by how much the trained model prefers the preferred response of each held-out
            comparison, as a logit.
        preferences: comparisons to learn.
        training: optimizer, batch size (comparisons) and epochs.
        rng: source of the batches' order.
        progress: told the fraction done and a short text.
    """
    prompt_P, chosen_P, rejected_P = (part.length_N for part in preferences)
    length_P = prompt_P + np.maximum(chosen_P, rejected_P)
    tokens = int((2 * prompt_P + chosen_P + rejected_P).sum())
    trajectory = fit(model, mean_loss, length_P, tokens, training, rng, progress)
    margin_P = margins()
    return RewardTraining(
        trajectory,
        heldout_loss=float(np.logaddexp(0.0, -margin_P).mean()),
        heldout_accuracy=float(((margin_P > 0) + 0.5 * (margin_P == 0)).mean()),
    )


def _margins(model: PreTrainedModel, preferences: Preferences) -> npt.NDArray[np.float64]:
    """Reward of the preferred response less that of the other, (P,)."""
    chosen_P = score(model, preferences.prompts, preferences.chosen)
    return chosen_P - score(model, preferences.prompts, preferences.rejected)
