from __future__ import annotations

import math

import pytest
import torch

from overopt.methods.contract.pairs import PairBatch
from overopt.methods.contract.reading import Reading
from overopt.methods.contract.training import HiddenStates, StateShape
from overopt.methods.pairs import dpo, spo

from . import pairs


def degraded(logits: list[list[list[float]]], degrees: list[float], tokens: int = 2) -> Reading:
    """Responses of up to two tokens with these logits at each."""
    logits_RTK = torch.tensor(logits)
    mask_RT = (torch.arange(2) < tokens).float().expand(len(degrees), 2)
    zero_RT = torch.zeros(len(degrees), 2)
    return Reading(zero_RT, zero_RT, mask_RT, output=logits_RTK, label=torch.tensor(degrees))


def one_pair(reading: Reading) -> PairBatch:
    sides = (side.take(torch.tensor([0])) for side in pairs.worked()[:2])
    return PairBatch.of(sides)._replace(degraded=reading)


def test_loss_by_hand() -> None:
    """Mean logits (.2, .5, .1): cross-entropy .8801 of class 1, 1.2801 of class 2."""
    rows = [[[0.4, 0.5, 0.0], [0.0, 0.5, 0.2]]] * 2
    batch = one_pair(degraded(rows, [1.0, 2.0]))
    expected = math.log1p(math.exp(-0.5 * 2)) + 0.1 * (0.8801 + 1.2801) / 2
    found = spo.loss(spo.Config(beta=0.5, degree_weight=0.1, degrees=3), batch)
    assert found.tolist() == pytest.approx([expected], abs=1e-4)


def test_each_pair_has_the_degrees_of_its_own_two_responses() -> None:
    """Chosen rows first: cross-entropies 1, 2 of the chosen, 3, 4 of the rejected."""
    rows = [[[-math.log(math.expm1(of)), 0.0]] * 2 for of in (1.0, 2.0, 3.0, 4.0)]
    batch = pairs.worked()._replace(degraded=degraded(rows, [0.0] * 4))
    plain = dpo.loss(dpo.Config(beta=0.5), batch)
    found = spo.loss(spo.Config(beta=0.5, degree_weight=1.0, degrees=2), batch)
    assert torch.allclose(found - plain, torch.tensor([2.0, 3.0]), atol=1e-5)


def test_padding_has_no_say() -> None:
    rows = [[[0.2, 0.5, 0.1], [9.0, 0.0, 0.0]]] * 2
    padded = one_pair(degraded(rows, [1.0, 1.0], tokens=1))
    found = spo.loss(spo.Config(beta=0.5, degree_weight=1.0, degrees=3), padded).item()
    assert found == pytest.approx(math.log1p(math.exp(-1.0)) + 0.8801, abs=1e-4)


def test_without_weight_it_is_dpo() -> None:
    rows = [[[0.4, 0.5, 0.0], [0.0, 0.5, 0.2]]] * 4
    batch = pairs.worked()._replace(degraded=degraded(rows, [0.0, 1.0, 2.0, 0.0]))
    found = spo.loss(spo.Config(beta=0.5, degree_weight=0.0, degrees=3), batch)
    assert torch.equal(found, dpo.loss(dpo.Config(beta=0.5), batch))


def test_the_head_starts_undecided_and_reads_the_last_layer() -> None:
    head = spo.make_module(spo.Config(degrees=4), StateShape(layers=2, width=3))
    states = torch.randn(2, 5, 2, 3, generator=torch.Generator().manual_seed(0))
    assert not head(HiddenStates(states, states)).any()
    assert isinstance(head, spo.DegreeHead)
    with torch.no_grad():
        head.linear.weight.fill_(1.0)
    found = head(HiddenStates(0 * states, states))
    assert torch.allclose(found[..., 0], states[:, :, -1].sum(-1))
