import math

import pytest
import torch
from torch.nn.functional import logsigmoid

from overopt.proxies.attrib_prior import (
    Additive,
    Config,
    distance,
    loss,
    make_head,
    read_prior,
    settle,
)
from overopt.proxies.contract.heads import HeadShape, HeadStates, TrainedStates

from .headed import outputs, read, states


@pytest.mark.parametrize(
    ("prior", "apart"),
    [
        # importances 2/3 and 1/3
        ("", 0.5 * math.log(0.5 / (2 / 3)) + 0.5 * math.log(0.5 / (1 / 3))),
        ("2,1", 0.0),
        ("0,1", math.log(3.0)),
        ("1,0", math.log(1.5)),
    ],
)
def test_distance_to_the_prior_by_hand(prior: str, apart: float) -> None:
    """Two pairs that are 3 and 1 apart by the first part, and 1 and 1 by the second."""
    part_PK = torch.tensor([[3.0, 1.0], [-1.0, 1.0]])
    found = distance(read_prior(Config(prior=prior), 2), part_PK)
    assert found.item() == pytest.approx(apart, abs=1e-6)


def test_losses_by_hand() -> None:
    """An attribute 1 apart: .313262; an attribute 2 apart the wrong way: 2.126928."""
    chosen_PC = torch.tensor([[9.0, 1.0, 0.0], [9.0, 1.0, 0.0]])
    rejected_PC = torch.tensor([[0.0, 0.0, -2.0], [0.0, 0.0, -2.0]])
    terms = torch.tensor([[1.0, -1.0], [1.0, 0.0]])
    found = loss(Config(), outputs(chosen_PC, rejected_PC, {"terms": terms}))
    assert found.tolist() == pytest.approx([(0.313262 + 2.126928) / 2, 0.313262 / 2], abs=1e-6)


def test_the_reward_is_the_sum_of_its_parts_and_does_not_move_the_attributes() -> None:
    head = make_head(Config(), HeadShape(6, {"terms": 3}))
    head.weight_K.copy_(torch.tensor([2.0, 1.0, 0.5]))
    both = states(5, 6)
    output_PC = head(both[0])
    torch.testing.assert_close(output_PC[:, 0], (output_PC[:, 1:] * head.weight_K).sum(1))
    assert not list(head.named_parameters())[1:], "weights are fitted, not trained"
    told = loss(Config(), read(head, both, {"terms": torch.ones(5, 3)}))
    (slope_KD,) = torch.autograd.grad(told.sum(), head.attributes.weight)
    assert slope_KD.any()


def compared() -> tuple[Additive, TrainedStates]:
    """Labels by both numbers of the state, twice as much by the first, 3 of 4 right."""
    generator = torch.Generator().manual_seed(0)
    state_2PD = torch.randn(2, 800, 2, generator=generator)
    lead_P = (state_2PD[0] - state_2PD[1]) @ torch.tensor([2.0, 1.0])
    wrong_P = (lead_P > 0) == (torch.rand(800, generator=generator) < 0.25)
    state_2PD = torch.where(wrong_P[None, :, None], state_2PD.flip(0), state_2PD)
    sides = [HeadStates(side_PD, side_PD) for side_PD in state_2PD]
    head = make_head(Config(), HeadShape(2, {"terms": 2})).eval()
    with torch.no_grad():
        head.attributes.weight.copy_(torch.eye(2))
    return head, TrainedStates(sides[0], sides[1], torch.ones(800), torch.ones(800))


def importance(head: Additive, trained: TrainedStates) -> float:
    """Of the first attribute."""
    size_K = (head(trained.chosen) - head(trained.rejected))[:, 1:].abs().mean(0) * head.weight_K
    return float((size_K[0] / size_K.sum()).detach())


def test_without_a_prior_weights_are_those_of_bradley_terry() -> None:
    head, trained = compared()
    settle(Config(weight=0.0), head, trained)
    weight_K = head.weight_K.clone().requires_grad_()
    apart_PK = trained.chosen.last_BD - trained.rejected.last_BD
    (slope_K,) = torch.autograd.grad(-logsigmoid(apart_PK @ weight_K).mean(), weight_K)
    torch.testing.assert_close(slope_K, torch.zeros(2), atol=1e-4, rtol=0)
    assert 0.6 < importance(head, trained) < 0.8


@pytest.mark.parametrize(("prior", "share"), [("1,3", 0.25), ("3,1", 0.75), ("", 0.5), ("0,1", 0)])
def test_a_heavy_prior_sets_the_importance(prior: str, share: float) -> None:
    head, trained = compared()
    settle(Config(weight=100.0, prior=prior), head, trained)
    assert importance(head, trained) == pytest.approx(share, abs=0.001)


def test_the_heavier_the_prior_the_nearer_is_the_importance() -> None:
    shares = []
    for weight in (0.0, 0.1, 1.0, 10.0):
        head, trained = compared()
        settle(Config(weight=weight, prior="1,3"), head, trained)
        shares.append(importance(head, trained))
    assert shares == sorted(shares, reverse=True)
    assert shares[0] - 0.05 > shares[1] > shares[2] + 0.02 > 0.25


def test_what_labels_speak_against_has_no_weight() -> None:
    head, trained = compared()
    with torch.no_grad():
        head.attributes.weight.copy_(torch.diag(torch.tensor([1.0, -1.0])))
    settle(Config(weight=0.0), head, trained)
    assert head.weight_K[0] > 0.3 and head.weight_K[1] < 1e-3


@pytest.mark.parametrize("prior", ["1", "1,2,3", "-1,2", "0,0"])
def test_the_prior_fits_the_terms(prior: str) -> None:
    head, trained = compared()
    with pytest.raises(ValueError, match="give one number for each of 2 terms"):
        settle(Config(prior=prior), head, trained)
