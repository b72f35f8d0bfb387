"""The native engine of the rollout family: advantages of fresh samples, then steps on them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

import torch
from torch import Tensor

from overopt.engines.contract import RunInputs
from overopt.engines.drawn import DrawnSamples
from overopt.engines.learner import Learner
from overopt.engines.method.loading import open_as
from overopt.engines.method.rollout import OpenedRollout
from overopt.engines.online import Lesson, Minibatch, optimize_online
from overopt.engines.rows import tokens_of
from overopt.engines.sample_data import deal
from overopt.engines.walk.trajectory import Trajectory
from overopt.methods.contract.reading import Reading
from overopt.methods.contract.rollout import RolloutStep
from overopt.spec.method import MethodSpec
from overopt.spec.rollout import RolloutSpec


def optimize(method: MethodSpec, settings: Mapping[str, object], inputs: RunInputs) -> Trajectory:
    """A run of this family; see ``engines.contract``."""
    return optimize_rollout(
        open_as(OpenedRollout, method), RolloutSpec.model_validate(settings), inputs
    )


def optimize_rollout(method: OpenedRollout, settings: RolloutSpec, inputs: RunInputs) -> Trajectory:
    """Optimize a policy against a reward on its own samples; see ``optimize_online``.

    The method's ``training`` says how many gradient steps follow a rollout: one, unless it says
    otherwise.
    """
    learner = Learner(method, settings, inputs.policy, inputs.reference, inputs.second)
    at_once = learner.training.minibatches == 1
    learns_opponents = "opponents_now" in learner.inputs
    passes = 2 if method.perturbs else 1

    def loss(
        drawn: DrawnSamples, index_B: Tensor, row_K: Tensor, advantage: Tensor, read: Reading | None
    ) -> Tensor:
        """Mean loss of these prompts' samples, read anew unless a reading is given."""
        samples = drawn.rollout.reward_BN.shape[1]
        now = (drawn.read(learner, row_K) if read is None else read).group(samples)
        step = RolloutStep(drawn.rollout.take(index_B), now, advantage[index_B])
        if learns_opponents and drawn.opponents is not None:
            each = drawn.opponents.rollout.reward_BN.shape[1]
            others = drawn.opponents.read(learner, _group_rows(index_B, each)).group(each)
            step = step._replace(opponents=others)
        return method.loss(step).mean()

    def minibatches(drawn: DrawnSamples) -> Iterator[Minibatch]:
        with torch.no_grad():
            advantage = method.advantages(drawn.rollout)
        prompts, samples = drawn.rollout.reward_BN.shape
        dealt = deal(prompts, learner.training, inputs.randomness.torch)
        for number, index_B in enumerate(dealt):
            row_K = _group_rows(index_B, samples)
            mean_loss = partial(loss, drawn, index_B, row_K, advantage)
            # a pass with gradient serves one step: the first, on all rows
            first = at_once and number == 0
            yield Minibatch(
                mean_loss(drawn.reading if first else None),
                passes * tokens(drawn, index_B),
                partial(mean_loss, None),
            )

    def tokens(drawn: DrawnSamples, index_B: Tensor) -> int:
        """That one pass goes through: of these prompts' samples, and of opponents learned from."""
        kinds = [drawn, drawn.opponents] if learns_opponents else [drawn]
        return sum(
            tokens_of(kind, _group_rows(index_B, kind.rollout.reward_BN.shape[1]))
            for kind in kinds
            if kind is not None
        )

    def besides(drawn: DrawnSamples) -> int:
        """Opponents that are only compared with; all other samples are counted as trained on."""
        return 0 if learns_opponents or drawn.opponents is None else drawn.opponents.tokens

    lesson = Lesson(minibatches, with_gradient=at_once, besides=besides)
    return optimize_online(learner, lesson, settings, inputs)


def _group_rows(index_B: Tensor, samples: int) -> Tensor:
    """Rows of all samples of these prompts."""
    return (index_B[:, None] * samples + torch.arange(samples)).flatten()
