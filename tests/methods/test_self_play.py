import pytest
import torch

from overopt.methods.rollout import self_play

from . import games


@pytest.mark.parametrize(
    ("tau", "nash"), [(0.5, [0.5097, 0.2559, 0.2344]), (1.0, [0.5100, 0.2751, 0.2150])]
)
def test_it_comes_to_rest_at_the_regularized_nash_policy(tau: float, nash: list[float]) -> None:
    found_R = games.at_rest(self_play, self_play.Config(tau=tau), lambda policy_R: policy_R)
    assert found_R.tolist() == pytest.approx(nash, abs=5e-5)
    assert torch.allclose(found_R, games.tilt(found_R, tau), atol=1e-6)


def test_the_opponent_is_the_policy_itself() -> None:
    assert self_play.mixture(self_play.Config()) == 0.0
    assert self_play.INPUTS == ("mixture_samples",)


def test_advantages_by_hand() -> None:
    """(.2, .3, .5) on the cycle wins (.44, .59, .47); log(pi / pi_ref) is (-.9163, 0, .9163)."""
    policy_R = torch.tensor([0.2, 0.3, 0.5], dtype=torch.float64)
    rollout = games.every_response(policy_R.log(), policy_R)
    found = self_play.advantages(self_play.Config(tau=0.1), rollout)[0]
    assert found.tolist() == pytest.approx([0.0316, 0.09, -0.1216], abs=5e-5)
