import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from overopt.models.rewards.reward_fitting import bradley_terry_loss
from overopt.proxies.contract.heads import ReadBatch, Reading
from overopt.proxies.selfdistil import Config, loss

MARGINS = torch.tensor([-2.0, 0.0, 1.0, 3.0], dtype=torch.float64)


def of(config: Config, margin_P: Tensor, teacher_P: Tensor | None) -> Tensor:
    zero_P = torch.zeros_like(margin_P)
    batch = ReadBatch(margin_P + 0.7, zero_P + 0.7, Reading(), Reading(), previous_P=teacher_P)
    return loss(config, batch)


@pytest.mark.parametrize(
    ("weight", "expected"),
    [
        (0.0, 0.313262),
        # teacher 2: q = .880797; .880797 * .313262 + .119203 * 1.313262
        (1.0, 0.432465),
        (0.5, 0.372863),
        # 1.5 * .432465 - .5 * .313262
        (1.5, 0.492066),
    ],
)
def test_loss_by_hand(weight: float, expected: float) -> None:
    found = of(Config(weight=weight), torch.tensor([1.0]), torch.tensor([2.0]))
    assert found.item() == pytest.approx(expected, abs=2e-6)


def test_the_first_round_is_bradley_terry() -> None:
    plain = bradley_terry_loss(MARGINS, torch.zeros_like(MARGINS))
    assert_close(of(Config(weight=1.7), MARGINS, None), plain)
    assert_close(of(Config(weight=0.0), MARGINS, -MARGINS), plain)


@pytest.mark.parametrize("temperature", [1.0, 2.0])
def test_a_student_of_the_teacher_alone_ends_at_its_softened_margin(temperature: float) -> None:
    student_P = (MARGINS / temperature).requires_grad_()
    found = of(Config(temperature=temperature), student_P, MARGINS)
    (slope_P,) = torch.autograd.grad(found.sum(), student_P)
    assert_close(slope_P, torch.zeros_like(MARGINS))


def test_a_weight_above_1_turns_labels_that_the_teacher_doubts() -> None:
    """q = .119 for the label: its target is 1.5 * .119 - .5 < 0, and L falls without bound."""
    doubted = torch.tensor([-2.0], dtype=torch.float64)
    low, lower = (of(Config(weight=1.5), torch.tensor([d]), doubted).item() for d in (-9.0, -10.0))
    assert lower - low == pytest.approx(1.5 * torch.sigmoid(doubted).item() - 0.5, abs=1e-3)
    assert lower < low
