"""Training of reward models on labels of steps."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional
from transformers import PreTrainedModel

from overopt.execution.contract import Progress, silent
from overopt.models.fitting import Trajectory, fit
from overopt.models.rewards.step_scores import token_logits
from overopt.models.sequences import Index, join
from overopt.spec.training import TrainingSpec
from overopt.worlds.tokens import Tokens


def step_loss(logit_BT: Tensor, correct_BT: Tensor, end_BT: Tensor) -> Tensor:
    """Cross-entropy of the labels of each response's steps, the mean over its steps, nats, (B,).

    L = -1/S sum over its S steps of [c log p + (1 - c) log(1 - p)],  p = sigmoid(logit)

    Args:
        logit_BT: log-odds at every token.
        correct_BT: c, 1 where the step that ends here is labeled right, else 0.
        end_BT: True where a step ends; at least once in every row.

    Reference:
        Lightman et al., "Let's Verify Step by Step", https://arxiv.org/abs/2305.20050, trains by
        maximum likelihood of the label after each step; the mean over steps is not verified.
    """
    loss_BT = functional.binary_cross_entropy_with_logits(logit_BT, correct_BT, reduction="none")
    return (loss_BT * end_BT).sum(1) / end_BT.sum(1)


def train_steps(
    model: PreTrainedModel,
    prompts: Tokens,
    responses: Tokens,
    end_NT: npt.NDArray[np.bool_],
    correct_NT: npt.NDArray[np.bool_],
    training: TrainingSpec,
    rng: np.random.Generator,
    progress: Progress = silent,
) -> Trajectory:
    """A reward model learns which steps are right; it is changed in place.

    Args:
        model: a decoder with one output.
        prompts: N prompts.
        responses: the response of each, at most T tokens.
        end_NT: True where a step ends.
        correct_NT: True where the step that ends here is labeled right.
        training: optimizer, batch size (responses) and epochs.
        rng: source of the batches' order.
        progress: told the fraction done and a short text.

    Raises:
        FloatingPointError: where loss or gradient is not finite, naming the step.
    """

    def mean_loss(index_B: Index) -> Tensor:
        batch = join(prompts.take(index_B), responses.take(index_B), model.device)
        width = batch.mask_BT.shape[1]
        end_BT, correct_BT = (
            torch.from_numpy(flags_NT[index_B, :width]).to(model.device)
            for flags_NT in (end_NT, correct_NT)
        )
        return step_loss(token_logits(model, batch), correct_BT.float(), end_BT).mean()

    length_N = prompts.length_N + responses.length_N
    return fit(model, mean_loss, length_N, int(length_N.sum()), training, rng, progress)
