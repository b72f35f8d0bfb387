from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from overopt.models.rewards.reward_fitting import bradley_terry_loss
from overopt.proxies import goal_rm
from overopt.proxies.contract.heads import HeadShape, HeadStates, ReadBatch, Reading
from overopt.proxies.goal_rm import Config, likeness, loss, make_head, states_at


def batch(chosen_PTD: Tensor, rejected_PTD: Tensor, margin: float = 0.0) -> ReadBatch:
    pairs, tokens = chosen_PTD.shape[:2]
    length_P = torch.full((pairs,), float(tokens))
    return ReadBatch(
        torch.full((pairs,), margin),
        torch.zeros(pairs),
        Reading(state_PTD=chosen_PTD, length_P=length_P),
        Reading(state_PTD=rejected_PTD, length_P=length_P),
    )


def direction(cosine: float) -> Tensor:
    """A vector of any length whose cosine with the first axis is this."""
    return 3.0 * torch.tensor([cosine, math.sqrt(1 - cosine**2)])


@pytest.mark.parametrize(
    ("cosine", "expected"),
    # the chosen side is like itself, cosine 1: -log sigmoid(1) = .313262, and half of the two
    # terms; -log(1 - sigmoid(.2)) = .798139, of 0 .693147, of -1 .313262
    [(0.2, 0.555700), (0.0, 0.503204), (-1.0, 0.313262)],
)
def test_contrast_by_hand(cosine: float, expected: float) -> None:
    given = batch(direction(1.0).expand(1, 4, 2), direction(cosine).expand(1, 4, 2))
    found = loss(Config(), given).item() - math.log(2)
    assert found == pytest.approx(expected, abs=1e-6)


def test_both_terms_by_hand() -> None:
    """Cosines .8 and .2: .5 (-log .689974 - log(1 - .549834)) = .584620; 0 and 0: log 2."""
    axis = direction(1.0).expand(1, 3, 2)
    like, unlike = (
        likeness(Config(), axis, direction(cosine).expand(1, 5, 2)).item() for cosine in (0.8, 0.2)
    )
    assert 0.5 * (-math.log(like) - math.log(1 - unlike)) == pytest.approx(0.584620, abs=1e-6)
    assert likeness(Config(), axis, direction(0.0).expand(1, 5, 2)).item() == pytest.approx(0.5)


def test_averaged_goals_are_averaged_before_the_cosine() -> None:
    """Goals (3, 0) and (0, 3) average to the diagonal: cosine .707107; else the mean of 1 and 0."""
    axis, goals = direction(1.0).expand(1, 1, 2), 3.0 * torch.eye(2)[None]
    apart = (torch.sigmoid(torch.tensor(1.0)).item() + 0.5) / 2
    assert likeness(Config(), axis, goals).item() == pytest.approx(apart)
    together = torch.sigmoid(torch.tensor(math.sqrt(0.5))).item()
    assert likeness(Config(averaged=True), axis, goals).item() == pytest.approx(together)


def test_places_are_those_of_the_response_and_never_padding() -> None:
    state_PTD = torch.arange(4.0).repeat(2, 1)[:, :, None]
    side = Reading(state_PTD=state_PTD, length_P=torch.tensor([4.0, 2.0]))
    found = states_at(side, torch.tensor([[0.0, 0.49, 0.99], [0.0, 0.49, 0.99]]))
    assert found.squeeze(-1).tolist() == [[0.0, 1.0, 3.0], [0.0, 0.0, 1.0]]


def test_each_source_comes_before_its_goal_and_both_are_of_the_preferred_side(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[tuple[Reading, Tensor]] = []

    def noted(side: Reading, place_PK: Tensor) -> Tensor:
        asked.append((side, place_PK))
        return states_at(side, place_PK)

    monkeypatch.setattr(goal_rm, "states_at", noted)
    given = batch(torch.randn(6, 9, 4), torch.randn(6, 9, 4))
    loss(Config(), given)
    (first, source_PK), (second, goal_PK), (third, _), (fourth, _) = asked
    assert first is second is third is given.chosen and fourth is given.rejected
    assert source_PK.shape == (6, 16) and bool((source_PK < goal_PK).all())


def test_without_weight_it_is_bradley_terry() -> None:
    given = batch(torch.randn(5, 3, 4), torch.randn(5, 3, 4), margin=-0.7)
    plain = bradley_terry_loss(given.chosen_P, given.rejected_P)
    assert_close(loss(Config(weight=0.0), given), plain)


def test_the_contrast_moves_states_of_both_sides() -> None:
    sides = [torch.randn(5, 3, 4).requires_grad_() for _ in range(2)]
    slopes = torch.autograd.grad(loss(Config(), batch(sides[0], sides[1])).sum(), sides)
    assert all(slope_PTD.abs().sum() > 0 for slope_PTD in slopes)


def test_the_head_is_linear_at_the_last_token() -> None:
    head = make_head(Config(), HeadShape(3))
    with torch.no_grad():
        head.linear.weight.copy_(torch.tensor([[1.0, 2.0, -1.0]]))
    states = HeadStates(torch.tensor([[1.0, 0.5, 3.0]]), torch.ones(1, 3))
    assert head(states).tolist() == [[-1.0]]
