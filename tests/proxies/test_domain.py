import pytest
import torch
from torch.nn.functional import logsigmoid

from overopt.proxies.contract.heads import HeadShape, HeadStates, TrainedStates
from overopt.proxies.domain import Config, OnFeatures, loss, make_head, settle

from .headed import outputs, read, states


def test_losses_by_hand() -> None:
    """A feature 1 apart: .313262; a feature 2 apart the wrong way: 2.126928."""
    chosen_PC = torch.tensor([[1.0, 1.0, 0.0], [1.0, 1.0, 0.0]])
    rejected_PC = torch.tensor([[0.0, 0.0, -2.0], [0.0, 0.0, -2.0]])
    terms = torch.tensor([[1.0, -1.0, 1.0], [1.0, 0.0, -1.0]])
    found = loss(Config(), outputs(chosen_PC, rejected_PC, {"terms": terms}))
    expected = [(0.313262 + 2.126928) / 2, 0.313262 / 2]
    assert found.tolist() == pytest.approx(expected, abs=1e-6)


def test_features_learn_from_terms_and_the_head_does_not_move_them() -> None:
    torch.manual_seed(0)
    head = make_head(Config(dropped=0), HeadShape(6, {"terms": 2}))
    both = states(5, 6)
    told = loss(Config(), read(head, both, {"terms": torch.ones(5, 2)}))
    torch.autograd.backward(told.sum())
    assert head.features.weight.grad is not None and head.features.weight.grad.any()
    assert both[0].last_BD.grad is not None and both[0].last_BD.grad.any()
    moved = [head.first.weight, head.features.weight, both[0].last_BD]
    slopes = torch.autograd.grad(head(both[0])[:, 0].sum(), moved)
    assert [bool(slope.any()) for slope in slopes] == [True, False, False]


def test_dropped_terms_have_no_feature() -> None:
    shape = HeadShape(6, {"terms": 3})
    kept = [make_head(Config(dropped=d), shape).features.out_features for d in (0, 1, 2, 7)]
    assert kept == [3, 2, 1, 1]


def test_one_feature_under_a_monotone_head_ranks_by_that_feature() -> None:
    head = make_head(Config(dropped=2, hidden=1), HeadShape(6, {"terms": 3}))
    with torch.no_grad():
        head.first.weight.fill_(0.7)
        head.last.weight.fill_(1.3)
    both = states(40, 6)
    output_PC = head(both[0])
    assert torch.equal(output_PC[:, 0].argsort(), output_PC[:, 1].argsort())


def noisy() -> TrainedStates:
    """Labels by the first number of the state less the second, 3 of 4 right.

    The first number is far from 0 and the second small, as no first weights of a head expect.
    """
    generator = torch.Generator().manual_seed(1)
    state_2PD = torch.randn(2, 600, 3, generator=generator)
    lead_P = (state_2PD[0] - state_2PD[1]) @ torch.tensor([1.0, -1.0, 0.0])
    wrong_P = (lead_P > 0) == (torch.rand(600, generator=generator) < 0.25)
    state_2PD = torch.where(wrong_P[None, :, None], state_2PD.flip(0), state_2PD)
    state_2PD = torch.tensor([1.0, 0.05, 1.0]) * state_2PD + torch.tensor([20.0, 0.0, 0.0])
    sides = [HeadStates(side_PD, side_PD) for side_PD in state_2PD]
    return TrainedStates(sides[0], sides[1], torch.ones(600), torch.ones(600))


def settled(seed: int, trained: TrainedStates) -> OnFeatures:
    torch.manual_seed(seed)
    head = make_head(Config(dropped=0), HeadShape(3, {"terms": 3})).eval()
    with torch.no_grad():
        head.features.weight.copy_(torch.eye(3))
    settle(Config(dropped=0), head, trained)
    return head


@pytest.mark.parametrize("seed", range(5))
def test_from_any_first_weights_the_settled_head_ranks_by_what_labels_follow(seed: int) -> None:
    trained = noisy()
    head = settled(seed, trained)
    assert torch.equal(head.features.weight, torch.eye(3))
    fresh_2ND = torch.tensor([1.0, 0.05, 1.0]) * torch.randn(2, 2000, 3)
    fresh_2ND = fresh_2ND + torch.tensor([20.0, 0.0, 0.0])
    first_N, second_N = (head(HeadStates(side_ND, side_ND))[:, 0] for side_ND in fresh_2ND)
    gold_N = (fresh_2ND[0] - fresh_2ND[1]) @ torch.tensor([1.0, -20.0, 0.0])
    assert ((first_N > second_N) == (gold_N > 0)).float().mean().item() > 0.9


def test_the_settled_head_is_at_a_minimum_that_it_reads_off_features_as_they_come() -> None:
    """In features of mean 0 and SD 1, the slope of the loss is that of the ridge."""
    trained = noisy()
    head = settled(0, trained).double()
    sides = [side.last_BD.double() for side in (trained.chosen, trained.rejected)]
    both_NK = torch.cat(sides)
    with torch.no_grad():
        head.first.bias.add_(head.first.weight @ both_NK.mean(0))
        head.first.weight.mul_(both_NK.std(0))
    chosen_P1, rejected_P1 = (
        head.judge((side_PK - both_NK.mean(0)) / both_NK.std(0)) for side_PK in sides
    )
    layers = [*head.first.parameters(), *head.last.parameters()]
    mean_loss = -logsigmoid(chosen_P1 - rejected_P1).mean()
    for layer, slope in zip(layers, torch.autograd.grad(mean_loss, layers), strict=True):
        torch.testing.assert_close(slope, -0.01 * layer.detach(), atol=1e-4, rtol=0)
    assert head.first.weight.abs().max() > 0.3
