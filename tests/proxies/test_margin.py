from __future__ import annotations

import pytest
import torch
from torch.testing import assert_close

from overopt.catalog import systems
from overopt.models.rewards.reward_fitting import bradley_terry_loss
from overopt.proxies.contract.heads import ReadBatch, Reading
from overopt.proxies.margin import Config, loss


def batch(difference: float, strength: float) -> ReadBatch:
    return ReadBatch(
        torch.tensor([difference + 0.2], requires_grad=True),
        torch.tensor([0.2]),
        Reading(),
        Reading(),
        {"strength": torch.tensor([strength])},
    )


@pytest.mark.parametrize(
    ("difference", "strength", "expected"),
    # -log sigmoid(.5); log 2; -log sigmoid(-1.5)
    [(1.0, 0.5, 0.474077), (1.0, 1.0, 0.693147), (0.0, 1.5, 1.701413)],
)
def test_loss_by_hand(difference: float, strength: float, expected: float) -> None:
    assert loss(Config(), batch(difference, strength)).item() == pytest.approx(expected, abs=1e-6)
    half = loss(Config(scale=0.5), batch(difference, 2 * strength))
    assert half.item() == pytest.approx(expected, abs=1e-6)


def test_without_margin_it_is_bradley_terry() -> None:
    for config, strength in ((Config(), 0.0), (Config(scale=0.0), 3.0)):
        given = batch(-0.7, strength)
        plain = bradley_terry_loss(given.chosen_P, given.rejected_P)
        assert_close(loss(config, given), plain)


def test_a_clear_pair_is_pushed_on_where_bradley_terry_rests() -> None:
    """At D = 3 the pull is sigmoid(-3) = .0474 without margin, sigmoid(0) = .5 with one of 3."""
    for strength, expected in ((0.0, -0.047426), (3.0, -0.5)):
        given = batch(3.0, strength)
        (slope,) = torch.autograd.grad(loss(Config(), given).sum(), given.chosen_P)
        assert slope.item() == pytest.approx(expected, abs=1e-6)


def test_it_declares_that_it_is_told_of_gold() -> None:
    assert systems.proxy("margin").uses_gold == "training"
