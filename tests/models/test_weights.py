"""Weights by name: read without a copy, set with one, refused where they do not fit."""

from __future__ import annotations

import pytest
import torch

from overopt.models.weights import evaluating, set_weights, weights_of

from . import tiny


def test_weights_are_copied_into_a_model() -> None:
    model, other = tiny.policy(0), tiny.policy(1)
    given = weights_of(other)
    set_weights(model, given)
    for name, value in weights_of(model).items():
        assert torch.equal(value, given[name]), name
        assert value.data_ptr() != given[name].data_ptr(), name
        assert not value.requires_grad
    assert next(model.parameters()).requires_grad


def test_weights_of_another_shape_of_model_are_refused() -> None:
    with pytest.raises(ValueError, match="do not fit"):
        set_weights(tiny.policy(0), {"nothing": torch.zeros(1)})


@pytest.mark.parametrize("training", [True, False])
def test_evaluation_is_left_as_it_was_found(training: bool) -> None:
    model = tiny.policy(0).train(training)
    with evaluating(model):
        assert not model.training and not torch.is_grad_enabled()
    assert model.training is training and torch.is_grad_enabled()
