import pytest
import torch

from overopt.proxies.contract.minimum import minimize


def test_the_bottom_of_a_bent_valley_is_found() -> None:
    """Rosenbrock's function is least at (1, 1)."""
    place_2 = torch.tensor([-1.2, 1.0], dtype=torch.float64, requires_grad=True)
    minimize(lambda: (1 - place_2[0]) ** 2 + 100 * (place_2[1] - place_2[0] ** 2) ** 2, [place_2])
    torch.testing.assert_close(place_2.detach(), torch.ones(2).double(), atol=1e-7, rtol=0)


def test_several_parameters_of_any_shape_move_and_nothing_is_drawn() -> None:
    first_33 = torch.zeros(3, 3, dtype=torch.float64, requires_grad=True)
    second = torch.zeros((), dtype=torch.float64, requires_grad=True)
    before = torch.random.get_rng_state()
    minimize(lambda: ((first_33 - 2) ** 2).mean() + (second + 1).cosh(), [first_33, second])
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.testing.assert_close(first_33.detach(), torch.full((3, 3), 2.0).double())
    assert second.item() == pytest.approx(-1.0, abs=1e-7)


def test_what_has_no_minimum_is_told() -> None:
    place = torch.zeros((), dtype=torch.float64, requires_grad=True)
    with pytest.raises(FloatingPointError, match="has not converged: a slope of 1 is left"):
        minimize(lambda: -place, [place])
