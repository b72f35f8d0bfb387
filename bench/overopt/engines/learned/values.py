"""Learns values of prefixes on samples of the initial policy, scored by the proxy."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from overopt.engines.contract import Reward
from overopt.engines.learned.critic import TwoHeads
from overopt.engines.method.values import OpenedValues
from overopt.engines.sample_data import deal, prompt_batches
from overopt.engines.walk.trajectory import Compute
from overopt.execution.contract import Progress
from overopt.methods.contract.values import Valued
from overopt.models.optimizer import Stepper, build_optimizer, training_device
from overopt.models.sampling import sample
from overopt.models.sequences import Batch, join, take_rows
from overopt.models.values import response_values
from overopt.models.weights import evaluating
from overopt.spec.rollout import RolloutSpec
from overopt.worlds.tokens import Tokens


class ValueRow(NamedTuple):
    """What was seen of one batch of fresh responses, and of the first step taken on them.

    step: gradient steps before it. loss: of the first step on it.
    reward_mean, reward_sd: of its responses, in SDs of the initial policy.
    error: mean over tokens of (V - reward of the whole response)^2, before any step on them. At
        the last token of a response it can fall to 0, before that to the variance of the reward
        that the prefix leaves open.
    """

    step: int
    loss: float
    reward_mean: float
    reward_sd: float
    error: float


class Learned(NamedTuple):
    """What training has cost, and a row for each batch."""

    compute: Compute
    rows: tuple[ValueRow, ...]


class Fit(Protocol):
    """How values are learned from one batch of fresh responses after another."""

    @property
    def beside(self) -> nn.Module | None:
        """A module that is trained with the model, and is not kept."""
        ...

    def see(self, batch: Batch, reward_R: Tensor) -> Tensor:
        """Take up a batch; its values as they are, (R, T), without gradient."""
        ...

    def loss(self, row_K: Tensor) -> Tensor:
        """Loss of each token of some of its rows, (K, T)."""
        ...

    def after_step(self) -> None:
        """What follows a gradient step."""
        ...


class _OneHead:
    """Values that become what the method makes of them once a batch."""

    beside: nn.Module | None = None

    def __init__(self, method: OpenedValues, model: PreTrainedModel) -> None:
        self._method, self._model = method, model

    def see(self, batch: Batch, reward_R: Tensor) -> Tensor:
        """The batch's values, and targets out of them."""
        self._batch = batch
        with evaluating(self._model):
            value_RT = response_values(self._model, batch)
        valued = Valued(value_RT, batch.mask_BT.float(), reward_R)
        self._target_RT = self._method.value_targets(valued)
        return value_RT

    def loss(self, row_K: Tensor) -> Tensor:
        """Distance of the values from their targets."""
        now_KT = response_values(self._model, take_rows(self._batch, row_K))
        return self._method.value_loss(now_KT, self._target_RT[row_K])

    def after_step(self) -> None:
        """Nothing."""


def learn_values(
    method: OpenedValues,
    model: PreTrainedModel,
    policy: PreTrainedModel,
    prompts: Tokens,
    reward: Reward,
    max_new_tokens: int,
    settings: RolloutSpec,
    generator: torch.Generator,
    progress: Progress,
) -> Learned:
    """Draw, reward and learn, for as many gradient steps as an online method takes.

    Args:
        method: says what V is to become.
        model: of the values, trained in place.
        policy: the initial policy, which does not move.
        prompts: training prompts.
        reward: the proxy.
        max_new_tokens: limit of a response's length.
        settings: prompts per batch, responses to each, gradient steps, optimizer; the learning rate
            times ``method.training.module_rate``.
        generator: of the order of the prompts, the responses, and how minibatches are dealt.
        progress: told the fraction done.

    Raises:
        FloatingPointError: if a loss or gradient is not finite.
    """
    device = training_device()
    model, policy = model.to(device), policy.to(device)  # before a slow copy of the model is made
    fit: Fit = TwoHeads(method, model) if method.has_critic else _OneHead(method, model)
    rate = settings.learning_rate * method.training.module_rate
    optimizer = build_optimizer(model, rate)
    if fit.beside is not None:
        own = {"params": list(fit.beside.parameters()), "lr": rate, "weight_decay": 0.0}
        optimizer.add_param_group(own)
    stepper = Stepper(
        model,
        optimizer,
        settings.max_gradient_norm,
        lambda step: min(1.0, (step + 1) / max(1, settings.warmup_steps)),
        fit.beside,
    )
    rows: list[ValueRow] = []
    samples_drawn = tokens = 0
    for index_B in prompt_batches(prompts.rows(), settings.prompts_per_step, generator):
        step = stepper.steps_taken
        if step >= settings.max_steps:
            break
        asked = prompts.take(np.repeat(index_B, settings.samples_per_prompt))
        drawn = sample(
            policy, prompts.take(index_B), settings.samples_per_prompt, max_new_tokens, generator
        ).responses
        reward_R = torch.from_numpy(reward(asked, drawn)).float().to(policy.device)
        batch = join(asked, drawn, policy.device)
        mask_RT = batch.mask_BT.float()
        value_RT = fit.see(batch, reward_R)
        length_R = batch.attention_BL.sum(1)
        for row_K in deal(len(reward_R), method.training, generator):
            row_K = row_K.to(policy.device)
            loss_KT = fit.loss(row_K)
            stepper.step((loss_KT * mask_RT[row_K]).sum() / mask_RT[row_K].sum())
            fit.after_step()
            tokens += int(length_R[row_K].sum())
            if stepper.steps_taken == settings.max_steps:
                break
        samples_drawn += len(reward_R)
        tokens += int(length_R.sum())
        error_RT = (value_RT - reward_R[:, None]).square() * mask_RT
        rows.append(
            ValueRow(
                step=step,
                loss=stepper.loss[step],
                reward_mean=reward_R.mean().item(),
                reward_sd=reward_R.std().item(),
                error=(error_RT.sum() / mask_RT.sum()).item(),
            )
        )
        progress(stepper.steps_taken / settings.max_steps, f"values: loss {rows[-1].loss:.3f}")
    model.eval()
    return Learned(Compute(stepper.steps_taken, samples_drawn, tokens), tuple(rows))
