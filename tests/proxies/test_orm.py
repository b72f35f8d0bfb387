import math

import pytest
import torch

from overopt.proxies.contract.heads import ReadBatch, Reading
from overopt.proxies.orm import Config, loss

LOGITS = ([1.0, 1.0, 0.0, 2.0], [0.0, -1.0, 0.0, 2.0])
OUTCOMES = [[1.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 0.0]]


def batch() -> ReadBatch:
    chosen_P, rejected_P = (torch.tensor(side, requires_grad=True) for side in LOGITS)
    labels = {"outcomes": torch.tensor(OUTCOMES)}
    return ReadBatch(chosen_P, rejected_P, Reading(), Reading(), labels)


def test_loss_by_hand() -> None:
    """log(1 + e^-1) = .313262, log 2 = .693147, log(1 + e^2) = 2.126928."""
    expected = [(0.313262 + 0.693147) / 2, 0.313262, 0.693147, 2.126928]
    assert loss(Config(), batch()).tolist() == pytest.approx(expected, abs=1e-6)


def test_two_right_responses_are_both_pulled_up() -> None:
    """A comparison of them would pull one of them down."""
    given = batch()
    slopes = torch.autograd.grad(loss(Config(), given).sum(), [given.chosen_P, given.rejected_P])
    assert [slope[2].item() for slope in slopes] == pytest.approx([-0.25, -0.25])
    assert all(slope[3] > 0 for slope in slopes)


def test_its_minimum_is_the_log_odds_of_a_right_outcome() -> None:
    """Three of four samples of a response end right: log 3."""
    labels = {"outcomes": torch.tensor([[1.0, 1.0], [1.0, 0.0]])}
    logit_P = torch.full((2,), math.log(3.0), requires_grad=True)
    given = ReadBatch(logit_P, logit_P, Reading(), Reading(), labels)
    (slope_P,) = torch.autograd.grad(loss(Config(), given).sum(), logit_P)
    assert slope_P.sum().item() == pytest.approx(0.0, abs=1e-6)
