import pytest
import torch
from torch import Tensor

from overopt.proxies.contract.heads import HeadShape, HeadStates, ReadBatch, Reading
from overopt.proxies.l1_rm import Config, loss, make_head

MARGINS = torch.tensor([-3.0, -0.5, 0.0, 1.0, 4.0], dtype=torch.float64)


def of(margin_P: Tensor) -> Tensor:
    zero_P = torch.zeros_like(margin_P)
    return loss(Config(), ReadBatch(margin_P + 0.3, zero_P + 0.3, Reading(), Reading()))


def test_loss_by_hand() -> None:
    # sigmoid(1) = .731059: |1 - .731059| + |0 - .268941|
    assert of(MARGINS[3:4]).item() == pytest.approx(0.537883, abs=1e-6)
    assert of(MARGINS[2:3]).item() == pytest.approx(1.0)


def test_it_is_the_l1_distance_of_two_distributions() -> None:
    p_P = torch.sigmoid(MARGINS)
    torch.testing.assert_close(of(MARGINS), (1 - p_P).abs() + (0 - (1 - p_P)).abs())


@pytest.mark.parametrize("flips", [0.1, 0.25, 0.4])
def test_flipped_labels_move_it_by_a_constant_and_a_factor(flips: float) -> None:
    noisy = (1 - flips) * of(MARGINS) + flips * of(-MARGINS)
    torch.testing.assert_close(noisy, (1 - 2 * flips) * of(MARGINS) + 2 * flips)


def test_a_label_that_is_far_wrong_pulls_less_than_a_doubtful_one() -> None:
    margin_P = torch.tensor([-6.0, 0.0], requires_grad=True)
    (slope_P,) = torch.autograd.grad(of(margin_P).sum(), margin_P)
    assert 0 > slope_P[0] > -0.01 and slope_P[1].item() == pytest.approx(-0.5)


def test_the_head_is_linear_in_the_state_and_starts_small() -> None:
    torch.manual_seed(0)
    head = make_head(Config(hidden=3), HeadShape(8))
    assert sum(value.numel() for value in head.parameters()) == 8 * 24 + 24
    a, b = torch.randn(5, 8), torch.randn(5, 8)

    def read(state_BD: Tensor) -> Tensor:
        read_B1: Tensor = head(HeadStates(state_BD, state_BD))
        return read_B1

    torch.testing.assert_close(read(2 * a - b), 2 * read(a) - read(b))
    torch.manual_seed(0)
    smaller = make_head(Config(hidden=3, scale=0.03), HeadShape(8))
    torch.testing.assert_close(smaller(HeadStates(a, a)), read(a) / 100)
