from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from overopt.proxies.composite import Config, combine, loss
from overopt.proxies.contract.heads import ReadBatch, Reading


def batch(member: int) -> ReadBatch:
    """Three pairs with reward differences 1, 1 and 2; two terms."""
    return ReadBatch(
        torch.tensor([1.0, 0.5, 2.0], requires_grad=True),
        torch.tensor([0.0, -0.5, 0.0], requires_grad=True),
        Reading(),
        Reading(),
        {"terms": torch.tensor([[1.0, -1.0], [-1.0, 1.0], [0.0, 1.0]])},
        member,
    )


def test_each_member_learns_its_own_term() -> None:
    """log(1 + e^-1) = .3133 where the term agrees, log(1 + e^1) = 1.3133 where it does not."""
    assert loss(Config(), batch(0)).tolist() == pytest.approx([0.313262, 1.313262, 0.0])
    last = math.log1p(math.exp(-2))
    assert loss(Config(), batch(1)).tolist() == pytest.approx([1.313262, 0.313262, last])


def test_equal_sides_teach_nothing() -> None:
    one = batch(0)
    (slope_P,) = torch.autograd.grad(loss(Config(), one).sum(), [one.chosen_P])
    assert slope_P.tolist()[2] == 0.0 and slope_P.tolist()[0] < 0 < slope_P.tolist()[1]


def test_a_member_without_a_term_is_told() -> None:
    with pytest.raises(ValueError, match="member 2 has no term: the gold rule has 2"):
        loss(Config(), batch(2))


def test_combination_by_hand() -> None:
    """(.5 x .3 + 1 x .6) / 1.5 = .5, the paper's .75 in its relative form."""
    score_MN = np.array([[0.3, -1.0], [0.6, 2.0]])
    assert combine(Config(members=2, weights="0.5,1"), score_MN) == pytest.approx([0.5, 1.0])
    assert combine(Config(members=2), score_MN) == pytest.approx(score_MN.mean(axis=0))
    assert combine(Config(members=2, weights="0,3"), score_MN) == pytest.approx(score_MN[1])


@pytest.mark.parametrize("weights", ["1", "1,2,3", "-1,2", "0,0", "1,nan", "1,inf"])
def test_weights_fit_the_members(weights: str) -> None:
    with pytest.raises(ValueError, match="give one number for each of 2 members"):
        combine(Config(members=2, weights=weights), np.zeros((2, 3)))
