from __future__ import annotations

from typing import Any

import pytest
import torch

from overopt.methods.contract.reading import Reading
from overopt.methods.iterative import trice

from . import fresh
from .three_responses import REWARD_R

POLICY_R = torch.tensor([0.2, 0.3, 0.5], dtype=torch.float64)


def weights(reward: Any, **config: Any) -> Any:
    built = trice.build(trice.Config(success=1.0, **config), fresh.rollout(reward))
    assert built.row_K.tolist() == list(range(built.row_K.numel()))
    assert built.weight_K is not None
    return built.weight_K


def test_the_last_success_is_remembered_at_every_step() -> None:
    """The first prompt's chain is 1, 1, 3 from sample 1 on, the second's 0, 0, 0, 0, the third's
    none; what begins a chain is not yet a step."""
    rewards = [[0.0, 1.0, 0.5, 2.0], [1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]]
    found = weights(rewards, control=False).view(3, 4)
    assert found.tolist() == [[0, 1, 0, 1], [3, 0, 0, 0], [0, 0, 0, 0]]


def test_the_control_variate_by_hand() -> None:
    """Of the other prompt's samples 1/4 succeed, and 1/2."""
    found = weights([[0.0, 1.0, 0.5, 2.0], [1.0, 0.0, 0.0, 0.0]]).view(2, 4)
    assert found.tolist() == [[0.0, 1.0, -0.25, 0.75], [3.0, -0.5, -0.5, -0.5]]


def test_nothing_is_left_to_learn_where_all_succeed() -> None:
    assert weights([[1.0, 2.0], [3.0, 1.0]]).tolist() == [0.0] * 4


def test_one_prompt_has_no_others() -> None:
    assert weights([[1.0, 0.0]]).tolist() == [1.0, 0.0]


def test_loss_by_hand() -> None:
    batch = Reading(torch.tensor([[-0.5, -1.0]]), torch.zeros(1, 2), torch.ones(1, 2))
    batch = batch._replace(weight=torch.tensor([-2.0]))
    assert trice.loss(trice.Config(), batch).tolist() == [-3.0]


@pytest.mark.parametrize("control", [True, False])
def test_the_expected_gradient_is_that_of_the_chance_of_success(control: bool) -> None:
    """Two prompts of two samples each, all 81 outcomes. b and c succeed, so that a chain has begun
    before the second sample with .8; the control variate leaves the mean as it is."""
    logits_R = POLICY_R.log().requires_grad_()
    logp_R = torch.log_softmax(logits_R, -1)
    drawn_O4, chance_O = fresh.every_draw(logp_R.detach(), 4)
    loss = torch.zeros((), dtype=torch.float64)
    for drawn_4, chance in zip(drawn_O4, chance_O, strict=True):
        weight_4 = weights(REWARD_R[drawn_4].view(2, 2), control=control)
        batch = fresh.read(logp_R, drawn_4)._replace(weight=weight_4)
        loss = loss + chance * trice.loss(trice.Config(), batch).sum() / 2
    (found_R,) = torch.autograd.grad(loss, logits_R, retain_graph=True)
    (success_R,) = torch.autograd.grad(-torch.logsumexp(logp_R[1:], -1), logits_R)
    assert torch.allclose(found_R, 0.8 * success_R, atol=1e-9)
