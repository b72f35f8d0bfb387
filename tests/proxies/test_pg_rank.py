import pytest
import torch
from torch import Tensor

from overopt.proxies.contract.heads import ReadBatch, Reading
from overopt.proxies.pg_rank import Config, loss


def of(margin_P: Tensor, strength_P: Tensor, temperature: float = 1.0) -> Tensor:
    zero_P = torch.zeros_like(margin_P)
    labels = {"strength": strength_P}
    batch = ReadBatch(margin_P + 0.3, zero_P + 0.3, Reading(), Reading(), labels)
    return loss(Config(temperature=temperature), batch)


def test_loss_by_hand() -> None:
    # sigmoid(-1) = .268941, sigmoid(2) = .880797
    found = of(torch.tensor([1.0, -2.0, 1.0]), torch.tensor([2.0, 0.5, 0.0]))
    assert found.tolist() == pytest.approx([0.537883, 0.440399, 0.0], abs=1e-6)
    assert of(torch.tensor([2.0]), torch.tensor([2.0]), 2.0).item() == pytest.approx(0.537883)


def test_its_gradient_is_that_of_drawn_rankings() -> None:
    """REINFORCE over first choices, each weighed by its chance: u (d log P) summed."""
    reward_2 = torch.tensor([0.4, 1.1], dtype=torch.float64, requires_grad=True)
    utility_2 = torch.tensor([3.0, 1.2], dtype=torch.float64)
    logp_2 = torch.log_softmax(reward_2, 0)
    surrogate = -(logp_2.detach().exp() * utility_2 * logp_2).sum()
    (expected_2,) = torch.autograd.grad(surrogate, reward_2)
    found = of((reward_2[0] - reward_2[1])[None], utility_2[:1] - utility_2[1:])
    (slope_2,) = torch.autograd.grad(found.sum(), reward_2)
    torch.testing.assert_close(slope_2, expected_2)


def test_it_is_the_regret_of_a_sure_choice_in_the_limit() -> None:
    far = torch.tensor([60.0, -60.0])
    assert of(far, torch.tensor([1.5, 1.5])).tolist() == pytest.approx([0.0, 1.5])
