import pytest
import torch

from overopt.proxies.contract.heads import HeadShape
from overopt.proxies.domain import Config, loss, make_head

from .headed import outputs, read, states


def test_losses_by_hand() -> None:
    """Reward and a feature 1 apart: .313262 each; a feature 2 apart the wrong way: 2.126928."""
    chosen_PC = torch.tensor([[1.0, 1.0, 0.0], [1.0, 1.0, 0.0]])
    rejected_PC = torch.tensor([[0.0, 0.0, -2.0], [0.0, 0.0, -2.0]])
    terms = torch.tensor([[1.0, -1.0, 1.0], [1.0, 0.0, -1.0]])
    found = loss(Config(), outputs(chosen_PC, rejected_PC, {"terms": terms}))
    first = 0.313262 + (0.313262 + 2.126928) / 2
    assert found.tolist() == pytest.approx([first, 0.313262 + 0.313262 / 2], abs=1e-6)


def test_the_head_learns_from_labels_and_the_features_from_terms() -> None:
    torch.manual_seed(0)
    head = make_head(Config(dropped=0), HeadShape(6, {"terms": 2}))
    both = states(5, 6)
    silent = loss(Config(), read(head, both, {"terms": torch.zeros(5, 2)}))
    torch.autograd.backward(silent.sum())
    assert head.features.weight.grad is not None and not head.features.weight.grad.any()
    assert both[0].last_BD.grad is not None and not both[0].last_BD.grad.any()
    assert head.first.weight.grad is not None and head.first.weight.grad.any()
    told = loss(Config(), read(head, both, {"terms": torch.ones(5, 2)}))
    torch.autograd.backward(told.sum())
    assert head.features.weight.grad.any() and both[0].last_BD.grad.any()


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
