"""The native engine of the iterative family: data built from fresh samples, then steps on it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

import torch
from torch import Tensor

from overopt.engines.contract import RunInputs
from overopt.engines.drawn import DrawnSamples
from overopt.engines.learner import Learner
from overopt.engines.method.iterative import OpenedIterative
from overopt.engines.method.loading import open_as
from overopt.engines.online import Lesson, Minibatch, optimize_online
from overopt.engines.rows import read_rows, tokens_of
from overopt.engines.sample_data import deal
from overopt.engines.walk.trajectory import Trajectory
from overopt.methods.contract.iterative import KeptRows, RowPairs, SamplePairs
from overopt.spec.method import MethodSpec
from overopt.spec.rollout import RolloutSpec


def optimize(method: MethodSpec, settings: Mapping[str, object], inputs: RunInputs) -> Trajectory:
    """A run of this family; see ``engines.contract``."""
    opened = open_as(OpenedIterative, method)
    return optimize_iterative(opened, RolloutSpec.model_validate(settings), inputs)


def optimize_iterative(
    method: OpenedIterative, settings: RolloutSpec, inputs: RunInputs
) -> Trajectory:
    """Iterate sampling, building data and learning; see ``optimize_online``.

    In every round the method's ``build`` picks rows or pairs of rows among the samples, and among
    what it has asked for beside them, by their rewards. Its ``loss`` is descended over these for
    the epochs and minibatches that its ``training`` says. A round without data counts as a step.
    """
    learner = Learner(method, settings, inputs.policy, inputs.reference, inputs.second)
    passes = 2 if method.perturbs else 1

    def loss(drawn: DrawnSamples, built: KeptRows | RowPairs, index_K: Tensor) -> Tensor:
        """Mean loss of these items as the policy reads them now."""
        reading = read_rows(learner, drawn, _rows(built, index_K), _controls(built, index_K))
        if isinstance(built, KeptRows):
            weight_K, label_K = (
                None if number_K is None else number_K[index_K]
                for number_K in (built.weight_K, built.label_K)
            )
            return method.loss(reading._replace(weight=weight_K, label=label_K)).mean()
        label_K = None if built.label_P is None else built.label_P[index_K]
        sides = reading.group(len(index_K)).unbind(0)
        labeled = (side._replace(label=label_K) for side in sides)
        return method.loss(SamplePairs(*labeled)).mean()

    def minibatches(drawn: DrawnSamples) -> Iterator[Minibatch]:
        built = method.build(drawn.rollout)
        items = len(built[0])
        if not items:
            return
        for index_K in deal(items, learner.training, inputs.randomness.torch):
            mean_loss = partial(loss, drawn, built, index_K)
            tokens = passes * tokens_of(drawn, _rows(built, index_K))
            yield Minibatch(mean_loss(), tokens, mean_loss)

    lesson = Lesson(minibatches, with_gradient=False, besides=lambda drawn: drawn.tokens)
    return optimize_online(learner, lesson, settings, inputs)


def _rows(built: KeptRows | RowPairs, index_K: Tensor) -> Tensor:
    """Rows of a minibatch: those kept, or all chosen ones before all rejected ones."""
    if isinstance(built, KeptRows):
        return built.row_K[index_K]
    return torch.cat([built.chosen_P[index_K], built.rejected_P[index_K]])


def _controls(built: KeptRows | RowPairs, index_K: Tensor) -> Tensor | None:
    """Which rows of a minibatch are read after the control token, as ``_rows`` orders them."""
    if isinstance(built, KeptRows):
        return None if built.control_K is None else built.control_K[index_K]
    sides = (built.chosen_control_P, built.rejected_control_P)
    if all(side is None for side in sides):
        return None
    none_K = torch.zeros_like(index_K, dtype=torch.bool)
    return torch.cat([none_K if side is None else side[index_K] for side in sides])
