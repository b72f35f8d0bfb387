import math

import pytest
import torch
from torch import Tensor

from overopt.proxies.contract.heads import HeadShape, HeadStates, ReadBatch, Reading
from overopt.proxies.contract.pairwise import PairStates
from overopt.proxies.pm import Comparison, Config, loss, make_head

WIDTH = 3
MOVES = torch.eye(WIDTH)
"""States of rock, paper and scissors."""


def states(move_N: Tensor) -> HeadStates:
    return HeadStates(MOVES[move_N], torch.zeros(len(move_N), WIDTH))


def chance(head: Comparison, first: Tensor, second: Tensor) -> Tensor:
    """Of both orders, as proxies are read."""
    forth, back = (
        torch.sigmoid(head(PairStates(states(a), states(b)))).squeeze(1)
        for a, b in ((first, second), (second, first))
    )
    return (forth + 1 - back) / 2


def test_loss_by_hand() -> None:
    # logits log .7/.3 and log .4/.6: -(log .7 + log .6) / 2
    batch = ReadBatch(
        torch.tensor([math.log(0.7 / 0.3)]),
        torch.tensor([math.log(0.4 / 0.6)]),
        Reading(),
        Reading(),
    )
    expected = -(math.log(0.7) + math.log(0.6)) / 2
    assert loss(Config(), batch).item() == pytest.approx(expected, abs=1e-6)


def test_a_difference_of_rewards_has_the_loss_of_bradley_terry() -> None:
    margin_P = torch.tensor([-1.0, 0.0, 2.0])
    batch = ReadBatch(margin_P, -margin_P, Reading(), Reading())
    expected = torch.nn.functional.softplus(-margin_P)
    torch.testing.assert_close(loss(Config(), batch), expected)


def test_preferences_that_go_in_a_circle_are_learned() -> None:
    """Paper beats rock, scissors beat paper, rock beats scissors: no reward says so."""
    torch.manual_seed(0)
    head = make_head(Config(hidden=16), HeadShape(WIDTH))
    winner, loser = torch.tensor([1, 2, 0]), torch.tensor([0, 1, 2])
    optimizer = torch.optim.Adam(head.parameters(), lr=0.05)
    for _ in range(300):
        forth = head(PairStates(states(winner), states(loser))).squeeze(1)
        back = head(PairStates(states(loser), states(winner))).squeeze(1)
        optimizer.zero_grad()
        torch.autograd.backward(loss(Config(), ReadBatch(forth, back, Reading(), Reading())).mean())
        optimizer.step()
    learned = chance(head, winner, loser)
    assert bool((learned > 0.95).all())
    torch.testing.assert_close(
        chance(head, winner, loser) + chance(head, loser, winner), torch.ones(3)
    )
    torch.testing.assert_close(chance(head, winner, winner), torch.full((3,), 0.5))
    # against all three moves alike, no move is better than another
    everyone = [chance(head, torch.full((3,), move), torch.arange(3)).mean() for move in range(3)]
    assert float(torch.stack(everyone).detach().std()) < 0.02
