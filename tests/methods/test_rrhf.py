from __future__ import annotations

import pytest
import torch

from overopt.methods.pairs import rrhf

from . import lists

ONE = rrhf.Config()


@pytest.mark.parametrize(("weight", "expected"), [(1.0, 3.0), (0.0, 1.0), (100.0, 201.0)])
def test_loss_by_hand(weight: float, expected: float) -> None:
    """s (-1, -2, -.5), best first: 0 + .5 + 1.5 out of order, and 1 for the best."""
    batch = lists.of_one_token([[-1.0, -2.0, -0.5]], [[2.0, 1.0, 0.0]])
    found = rrhf.loss(rrhf.Config(rank_weight=weight), batch)
    assert found.tolist() == pytest.approx([expected])


def test_order_and_likelihood_weigh_alike_unless_set() -> None:
    assert rrhf.Config().rank_weight == 1.0


def test_the_order_of_the_list_does_not_matter() -> None:
    batch = lists.of_one_token(
        [[-1.0, -2.0, -0.5], [-0.5, -1.0, -2.0]], [[2.0, 1.0, 0.0], [0.0, 2.0, 1.0]]
    )
    assert rrhf.loss(ONE, batch).tolist() == pytest.approx([3.0, 3.0])


def test_lengths_divide_log_probabilities() -> None:
    """Means -1 and -.75, the worse one ahead by .25; sums -2 and -2.25 are in order."""
    batch = lists.of_tokens([[-0.5, -1.5], [-0.25, -0.75, -1.25]], [1.0, 0.0])
    assert rrhf.loss(ONE, batch).item() == pytest.approx(0.25 + 1.0)
    sums = rrhf.Config(rank_weight=1.0, length_power=0.0)
    assert rrhf.loss(sums, batch).item() == pytest.approx(1.0)


def test_in_order_only_the_best_is_learned() -> None:
    batch = lists.of_one_token([[-1.0, -1.5, -2.0]], [[2.0, 1.0, 0.0]])
    assert lists.slopes(rrhf.loss(rrhf.Config(), batch), batch) == [[-1.0, 0.0, 0.0]]


def test_a_wrong_pair_is_pulled_together_alike() -> None:
    batch = lists.of_one_token([[-2.0, -1.0]], [[1.0, 0.0]])
    assert lists.slopes(rrhf.loss(ONE, batch), batch) == [[-2.0, 1.0]]


def test_of_equal_rewards_none_is_the_better() -> None:
    batch = lists.of_one_token([[-2.0, -1.0]], [[1.0, 1.0]])
    assert torch.allclose(rrhf.loss(ONE, batch), torch.tensor([2.0]))
