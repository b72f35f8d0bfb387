from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from overopt.models.rewards.reward_fitting import bradley_terry_loss
from overopt.proxies.contract.heads import HeadShape, HeadStates, ReadBatch, Reading
from overopt.proxies.more import Config, loss, make_head, shortest


def batch(apart_PD: Tensor, annotator_P: list[int], weight_D: Tensor) -> ReadBatch:
    """Comparisons whose states differ by these, read by this head."""
    head = make_head(Config(), HeadShape(len(weight_D)))
    with torch.no_grad():
        head.linear.weight.copy_(weight_D[None])
    sides = [HeadStates(part_PD, part_PD) for part_PD in (apart_PD, torch.zeros_like(apart_PD))]
    outputs = [head(side) for side in sides]
    return ReadBatch(
        outputs[0][:, 0],
        outputs[1][:, 0],
        Reading(outputs[0]),
        Reading(outputs[1]),
        {"annotator": torch.tensor(annotator_P)},
    )


def test_weights_by_hand() -> None:
    """(1, 0) and (0, 2): .8 and .2, as 4 : 1 of their squares; of equal length .5 each."""
    vector_AD = torch.tensor([[1.0, 0.0], [0.0, 2.0]])
    assert shortest(vector_AD).tolist() == pytest.approx([0.8, 0.2])
    assert shortest(torch.eye(2)).tolist() == pytest.approx([0.5, 0.5])
    assert shortest(torch.tensor([[1.0, 0.0], [-1.0, 0.0]])).tolist() == pytest.approx([0.5, 0.5])
    # the shorter of two along one line is nearest to 0
    assert shortest(torch.tensor([[3.0, 0.0], [1.0, 0.0]])).tolist() == pytest.approx([0.0, 1.0])
    assert shortest(torch.tensor([[2.0, 1.0]])).tolist() == [1.0]


def test_it_is_the_shortest_mixture() -> None:
    torch.manual_seed(0)
    vector_AD = torch.randn(4, 6, dtype=torch.float64) + 0.3
    weight_A = shortest(vector_AD)
    # the conditions of the optimum: no vector points less along the mixture than those it is of
    along_A = vector_AD @ (vector_AD.T @ weight_A)
    used_A = weight_A > 1e-9
    assert along_A.min().item() == pytest.approx(along_A[used_A].max().item(), rel=1e-6)
    assert weight_A.sum().item() == pytest.approx(1.0) and weight_A.min().item() >= 0


def test_losses_by_hand() -> None:
    """With lambda (.8, .2) and losses .3 and .9 of a pair each it would be .42, else .6.

    Here states (1, 0) and (0, 2) under a head of 0: losses log 2, pulls (-.5, 0) and (0, -1), so
    that lambda is (.8, .2) again, and (.5, .5) for pulls of equal length.
    """
    given = batch(torch.tensor([[1.0, 0.0], [0.0, 2.0]]), [0, 1], torch.zeros(2))
    log_2 = 0.693147
    found_P = loss(Config(normalized=False), given)
    assert found_P.tolist() == pytest.approx([1.6 * log_2, 0.4 * log_2], abs=1e-5)
    assert loss(Config(), given).tolist() == pytest.approx([log_2, log_2], abs=1e-5)
    assert loss(Config(equal=True), given).tolist() == pytest.approx([log_2, log_2], abs=1e-5)


def test_the_gradients_are_those_of_the_head() -> None:
    """Weights are those of the gradients that autograd finds, and pull no population back."""
    torch.manual_seed(0)
    apart_PD, weight_D = torch.randn(12, 3), torch.randn(3)
    annotator_P = [0, 0, 0, 0, 0, 2, 2, 2, 2, 1, 1, 1]
    given = batch(apart_PD, annotator_P, weight_D)
    head_D = weight_D.clone().requires_grad_()
    plain_P = bradley_terry_loss(apart_PD @ head_D, torch.zeros(12))
    who_P = torch.tensor(annotator_P)
    gradients = [
        torch.autograd.grad(plain_P[who_P == person].mean(), head_D, retain_graph=True)[0]
        for person in range(3)
    ]
    weight_A = shortest(torch.nn.functional.normalize(torch.stack(gradients), dim=1))
    assert_close(loss(Config(), given), 3 * weight_A[who_P] * plain_P.detach())


@pytest.mark.parametrize("config", [Config(), Config(equal=True), Config(normalized=False)])
def test_one_population_is_bradley_terry(config: Config) -> None:
    given = batch(torch.randn(5, 3), [3] * 5, torch.randn(3))
    assert_close(loss(config, given), bradley_terry_loss(given.chosen_P, given.rejected_P))


def test_populations_that_are_absent_have_no_part() -> None:
    torch.manual_seed(0)
    apart_PD, weight_D = torch.randn(6, 3), torch.randn(3)
    two = loss(Config(), batch(apart_PD, [0, 0, 0, 1, 1, 1], weight_D))
    assert_close(loss(Config(), batch(apart_PD, [0, 0, 0, 4, 4, 4], weight_D)), two)
