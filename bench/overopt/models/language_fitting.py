"""Supervised training of language models on reference texts."""

from __future__ import annotations

import numpy as np
from torch import Tensor
from transformers import PreTrainedModel

from overopt.execution.contract import Progress, silent
from overopt.models.fitting import Trajectory, fit
from overopt.models.logprobs import response_logps
from overopt.models.sequences import Index, join
from overopt.spec.training import TrainingSpec
from overopt.worlds.tokens import Tokens


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
    return fit(model, mean_loss, length_N, int(length_N.sum()), training, rng, progress)
