import pytest
import torch

from overopt.methods.rollout import best_response

from . import games


@pytest.mark.parametrize("tau", [0.5, 0.1])
def test_it_comes_to_rest_at_the_tilt_by_the_win_rate_over_the_initial_policy(tau: float) -> None:
    reference_R = torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64)
    config = best_response.Config(tau=tau)
    found_R = games.at_rest(best_response, config, lambda policy_R: reference_R)
    assert torch.allclose(found_R, games.tilt(reference_R, tau), atol=1e-6)


def test_advantages_by_hand() -> None:
    """(.5, .3, .2) on the cycle is beaten with (.53, .41, .56)."""
    reference_R = torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64)
    rollout = games.every_response(torch.tensor([0.2, 0.3, 0.5]).double().log(), reference_R)
    found = best_response.advantages(best_response.Config(tau=0.1), rollout)[0]
    assert found.tolist() == pytest.approx([0.1216, -0.09, -0.0316], abs=5e-5)
