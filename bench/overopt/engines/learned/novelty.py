"""Learns what the initial policy's responses look like to a reward model, to tell novel ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from overopt.engines.method.novelty import OpenedNovelty
from overopt.engines.sample_data import deal, prompt_batches
from overopt.engines.walk.trajectory import Compute
from overopt.execution.contract import Progress
from overopt.methods.contract.novelty import PredictorShape
from overopt.models.optimizer import Stepper, build_optimizer, training_device
from overopt.models.sampling import sample
from overopt.models.sequences import Batch, bucket_rows, join
from overopt.models.weights import evaluating
from overopt.spec.rollout import RolloutSpec
from overopt.stats.arrays import Floats
from overopt.worlds.tokens import Tokens

BATCH_TOKENS = 2048


class Trunk(NamedTuple):
    """A reward model, and how it reads prompts and responses.

    model: stays as it is. reading: both in the tokens that it reads.
    """

    model: PreTrainedModel
    reading: Callable[[Tokens, Tokens], tuple[Tokens, Tokens]]

    def read(self, prompts: Tokens, responses: Tokens) -> Batch:
        """The rows as it reads them."""
        return join(*self.reading(prompts, responses), self.model.device)


class Learned(NamedTuple):
    """A predictor for each trunk.

    loss: of each trunk's steps, in order.
    """

    predictors: tuple[nn.Module, ...]
    compute: Compute
    loss: tuple[list[float], ...]


def _inside(trunk: Trunk, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
    """Embeddings (R, L, E), lengths (R,), and the last states at the last tokens (R, D)."""
    length_R = batch.attention_BL.sum(1)
    with evaluating(trunk.model):
        embedded_RLE = trunk.model.get_input_embeddings()(batch.ids_BL).float()
        state_RLD = trunk.model.base_model(
            input_ids=batch.ids_BL, attention_mask=batch.attention_BL
        ).last_hidden_state
    row_R = torch.arange(len(length_R), device=length_R.device)
    return embedded_RLE, length_R, state_RLD[row_R, length_R - 1].float()


def learn_novelty(
    method: OpenedNovelty,
    trunks: Sequence[Trunk],
    policy: PreTrainedModel,
    prompts: Tokens,
    max_new_tokens: int,
    settings: RolloutSpec,
    generator: torch.Generator,
    progress: Progress,
) -> Learned:
    """Draw responses and train a predictor of each trunk's states on them.

    Args:
        method: supplies predictor and error.
        trunks: the proxy's members.
        policy: the initial policy.
        prompts: training prompts.
        max_new_tokens: limit of a response's length.
        settings: prompts per batch, responses to each, gradient steps, optimizer; the learning rate
            times ``method.training.module_rate``.
        generator: of the predictors' first weights, the prompts, the responses, and minibatches.
        progress: told the fraction done.

    Raises:
        FloatingPointError: if a loss or gradient is not finite.
    """
    rate = settings.learning_rate * method.training.module_rate
    steppers: list[Stepper] = []
    predictors: list[nn.Module] = []
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(torch.randint(2**31, (), generator=generator)))
        for trunk in trunks:
            trunk.model.to(training_device())
            predictors.append(method.make_predictor(_shape(trunk)).to(trunk.model.device))
            optimizer = build_optimizer(predictors[-1], rate)
            steppers.append(Stepper(predictors[-1], optimizer, settings.max_gradient_norm))
    samples_drawn = tokens = 0
    for index_B in prompt_batches(prompts.rows(), settings.prompts_per_step, generator):
        if steppers[0].steps_taken >= settings.max_steps:
            break
        asked = prompts.take(np.repeat(index_B, settings.samples_per_prompt))
        drawn = sample(
            policy, prompts.take(index_B), settings.samples_per_prompt, max_new_tokens, generator
        ).responses
        inside = [_inside(trunk, trunk.read(asked, drawn)) for trunk in trunks]
        for row_K in deal(asked.rows(), method.training, generator):
            for stepper, parts in zip(steppers, inside, strict=True):
                on_device = row_K.to(parts[0].device)
                embedded_KLE, length_K, target_KD = (part[on_device] for part in parts)
                predicted_KD = stepper.model(embedded_KLE, length_K)
                stepper.step(method.prediction_error(predicted_KD, target_KD).mean())
                tokens += int(length_K.sum())
            if steppers[0].steps_taken == settings.max_steps:
                break
        samples_drawn += asked.rows()
        done = steppers[0].steps_taken / settings.max_steps
        progress(done, f"novelty: loss {steppers[0].loss[-1]:.3f}")
    return Learned(
        tuple(predictors),
        Compute(steppers[0].steps_taken, samples_drawn, tokens),
        tuple(stepper.loss for stepper in steppers),
    )


def _shape(trunk: Trunk) -> PredictorShape:
    embedded = int(trunk.model.get_input_embeddings().weight.shape[1])
    return PredictorShape(embedded, int(trunk.model.config.hidden_size))


def novelty(
    method: OpenedNovelty,
    trunks: Sequence[Trunk],
    predictors: Sequence[nn.Module],
    prompts: Tokens,
    responses: Tokens,
) -> Floats:
    """Error of each response, (N,), the mean over trunks.

    Raises:
        FloatingPointError: an error is not finite.
    """
    found_MN = np.empty((len(trunks), responses.rows()))
    for m, (trunk, predictor) in enumerate(zip(trunks, predictors, strict=True)):
        read = trunk.reading(prompts, responses)
        for index_B in bucket_rows(read[0].length_N + read[1].length_N, BATCH_TOKENS):
            batch = join(read[0].take(index_B), read[1].take(index_B), trunk.model.device)
            embedded_RLE, length_R, target_RD = _inside(trunk, batch)
            with torch.no_grad():
                error_R = method.prediction_error(predictor(embedded_RLE, length_R), target_RD)
            found_MN[m, index_B] = error_R.double().cpu().numpy()
    if not np.isfinite(found_MN).all():
        raise FloatingPointError("an error of the predictor of novelty is not finite")
    return np.asarray(found_MN.mean(axis=0), np.float64)
