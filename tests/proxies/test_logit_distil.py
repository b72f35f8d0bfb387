import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from overopt.models.rewards.reward_fitting import bradley_terry_loss
from overopt.proxies.contract.heads import ReadBatch, Reading
from overopt.proxies.logit_distil import Config, loss


def batch(margin: Tensor, strength: Tensor) -> ReadBatch:
    zero = torch.zeros_like(margin)
    return ReadBatch(margin + 0.7, zero + 0.7, Reading(), Reading(), {"strength": strength})


@pytest.mark.parametrize(
    ("seen", "temperature", "expected"),
    [
        (0.0, 1.0, 0.313262),
        # .731059 * .313262 + .268941 * 1.313262
        (1.0, 1.0, 0.582203),
        (0.5, 1.0, 0.447733),
        # 4 * (.622459 * .474077 + .377541 * .974077)
        (1.0, 2.0, 2.651388),
    ],
)
def test_loss_by_hand(seen: float, temperature: float, expected: float) -> None:
    config = Config(seen=seen, temperature=temperature)
    found = loss(config, batch(torch.tensor([1.0]), torch.tensor([1.0])))
    assert found.item() == pytest.approx(expected, abs=2e-6)


def test_with_nothing_seen_it_is_bradley_terry() -> None:
    margin = torch.tensor([-2.0, 0.0, 3.0])
    found = loss(Config(seen=0.0, temperature=3.0), batch(margin, torch.tensor([0.1, 2.0, 0.0])))
    assert_close(found, bradley_terry_loss(margin, torch.zeros(3)))


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0])
def test_with_all_seen_the_minimum_is_the_teacher_s_margin(temperature: float) -> None:
    strength = torch.tensor([0.0, 0.4, 2.5], dtype=torch.float64)
    margin = strength.clone().requires_grad_()
    config = Config(seen=1.0, temperature=temperature)
    (slope,) = torch.autograd.grad(loss(config, batch(margin, strength)).sum(), margin)
    assert_close(slope, torch.zeros(3, dtype=torch.float64))
    beside = loss(config, batch(strength + 0.3, strength))
    assert bool((beside > loss(config, batch(strength, strength))).all())


def test_the_gradient_of_soft_targets_does_not_shrink_with_temperature() -> None:
    """At high T it tends to (D - d) / 4, which is why T^2 is there."""
    margin = torch.tensor([1.0], dtype=torch.float64, requires_grad=True)
    strength = torch.tensor([3.0], dtype=torch.float64)
    found = loss(Config(seen=1.0, temperature=200.0), batch(margin, strength))
    (slope,) = torch.autograd.grad(found.sum(), margin)
    assert slope.item() == pytest.approx((1.0 - 3.0) / 4, abs=1e-3)
