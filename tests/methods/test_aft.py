from __future__ import annotations

import math

import pytest

from overopt.methods.pairs import aft

from . import lists


def test_loss_by_hand() -> None:
    """s (-1, -2, -.5), best first, margin .5. Pushes e^-1, e^.5, e^1.5; boundaries at -2 for the
    first over the second, -4 and -3 for the first and second over the third: pulls e^0, e^-3.5,
    e^-2.5. log(1 + 7.610571) = 2.152991, and 1 for the best."""
    for logps, rewards in (
        ([-1.0, -2.0, -0.5], [2.0, 1.0, 0.0]),
        ([-0.5, -1.0, -2.0], [0.0, 2.0, 1.0]),
    ):
        found = aft.loss(aft.Config(margin=0.5), lists.of_one_token([logps], [rewards]))
        assert found.item() == pytest.approx(3.152991, abs=1e-5)


@pytest.mark.parametrize(("loser", "sign"), [(-1.5, 0), (-1.2, 1), (-1.9, -1)])
def test_a_loser_comes_to_rest_at_the_boundary(loser: float, sign: int) -> None:
    """The winner is at -1, the margin .5: above -1.5 the loser falls, below it rises."""
    batch = lists.of_one_token([[-1.0, loser]], [[1.0, 0.0]])
    ((_, slope),) = lists.slopes(aft.loss(aft.Config(margin=0.5), batch), batch)
    assert slope == pytest.approx(0.0, abs=1e-6) if sign == 0 else slope * sign > 0.01


def test_the_boundary_is_below_the_least_of_the_better_ones() -> None:
    batch = lists.of_one_token([[-1.0, -3.0, -3.5]], [[2.0, 1.0, 0.0]])
    ((_, _, slope),) = lists.slopes(aft.loss(aft.Config(margin=0.5), batch), batch)
    assert slope == pytest.approx(0.0, abs=1e-6)


def test_the_boundary_itself_is_pulled_by_none() -> None:
    """b = 2 (-1.5) + 1 = -2 beside s -1 and -1.2: the winner learns, pushes the loser, no more."""
    batch = lists.of_one_token([[-1.0, -1.2]], [[1.0, 0.0]])
    ((slope, _),) = lists.slopes(aft.loss(aft.Config(margin=0.5), batch), batch)
    push, pull = math.exp(-0.2), math.exp(-0.8)
    assert slope == pytest.approx(-1 - push / (1 + push + pull), abs=1e-6)


def test_without_a_boundary_losers_fall_for_ever() -> None:
    batch = lists.of_one_token([[-1.0, -6.0]], [[1.0, 0.0]])
    loss_B = aft.loss(aft.Config(margin=50.0), batch)
    assert loss_B.item() == pytest.approx(1.0 + math.log1p(math.exp(-5.0)), abs=1e-6)
    assert lists.slopes(loss_B, batch)[0][1] > 0


def test_equal_rewards_leave_the_likelihood() -> None:
    batch = lists.of_one_token([[-2.0, -1.0]], [[1.0, 1.0]])
    loss_B = aft.loss(aft.Config(), batch)
    assert loss_B.item() == pytest.approx(2.0)
    assert lists.slopes(loss_B, batch) == [[-1.0, 0.0]]


def test_scores_are_means_over_tokens() -> None:
    batch = lists.of_tokens([[-0.5, -1.5], [-0.25, -0.75, -1.25]], [1.0, 0.0])
    one = lists.of_one_token([[-1.0, -0.75]], [[1.0, 0.0]])
    found = aft.loss(aft.Config(), batch).item()
    assert found == pytest.approx(aft.loss(aft.Config(), one).item(), abs=1e-6)
