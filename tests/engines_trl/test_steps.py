"""Losses of a step in parts: which of them need to know of the other groups."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from overopt.engines.trl.steps import Step, is_row_wise, splice
from overopt.methods.contract.reading import Reading
from overopt.worlds.tokens import Tokens

NO_TOKENS = Tokens(np.zeros((0, 0), np.int32), np.zeros(0, np.int32))


def step(loss: Callable[[Reading], Tensor]) -> Step:
    return Step(NO_TOKENS, NO_TOKENS, reading(-torch.ones(4, 2, 3)), loss)


def reading(logp: Tensor, output: Tensor | None = None) -> Reading:
    return Reading(logp, -torch.ones(logp.shape), torch.ones(logp.shape), output=output)


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        (lambda now: now.policy_logp.sum(-1), True),
        (lambda now: now.policy_logp.sum((-1, -2)) * now.output.mean((1, 2, 3)), True),
        # within a group, rows may be compared
        (lambda now: now.policy_logp.sum(-1) - now.policy_logp.sum(-1).mean(1, keepdim=True), True),
        (lambda now: now.policy_logp.sum(-1) - now.policy_logp.mean(), False),
        (lambda now: now.policy_logp.sum(-1) * now.output.max(), False),
        # depends on the next group only
        (lambda now: now.policy_logp.roll(1, 0).sum(-1), False),
    ],
)
def test_losses_that_look_at_other_groups_are_found_out(
    loss: Callable[[Reading], Tensor], expected: bool
) -> None:
    # as at a run's start: all numbers equal, and the module's outputs zero
    now = reading(-torch.ones(4, 2, 3), torch.zeros(4, 2, 3, 1))
    assert is_row_wise(step(loss), now) is expected


def test_gradients_of_spliced_parts_add_up_to_that_of_the_whole() -> None:
    logp_GNT = -torch.rand((4, 2, 3), generator=torch.Generator().manual_seed(1))

    def loss(now: Reading) -> Tensor:
        total_GN = now.policy_logp.sum(-1)
        return total_GN * (total_GN - total_GN.mean()).square()

    whole_GNT = logp_GNT.clone().requires_grad_()
    (expected_GNT,) = torch.autograd.grad(loss(reading(whole_GNT)).mean(), whole_GNT)
    for index_K in (torch.tensor([0, 2]), torch.tensor([1, 3])):
        own_KNT = logp_GNT[index_K].requires_grad_()
        spliced = splice(reading(logp_GNT), index_K, reading(own_KNT))
        (found_KNT,) = torch.autograd.grad(loss(spliced).mean(), own_KNT)
        torch.testing.assert_close(found_KNT, expected_GNT[index_K])
