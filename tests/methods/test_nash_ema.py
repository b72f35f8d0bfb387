import pytest
import torch

from overopt.methods.rollout import nash_ema

from . import games


def test_the_average_follows_the_policy_and_is_the_anchor() -> None:
    """d = .5: 0, then (0 + 1)/2, then (.5 + 2)/2."""
    config = nash_ema.Config(decay=0.5)
    memory = nash_ema.begin(config, {"w": torch.zeros(1)})
    for step, (weight, average) in enumerate([(1.0, 0.5), (2.0, 1.25)], start=1):
        done = nash_ema.after_step(config, memory, {"w": torch.tensor([weight])}, step)
        assert done.anchor is not None and done.weights is None
        assert done.anchor["w"].item() == average == done.memory["w"].item()
        memory = done.memory


@pytest.mark.parametrize(("decay", "expected"), [(0.0, 3.0), (1.0, 1.0)])
def test_limits_are_the_policy_itself_and_the_initial_one(decay: float, expected: float) -> None:
    initial, now = {"w": torch.tensor([1.0])}, {"w": torch.tensor([3.0])}
    done = nash_ema.after_step(nash_ema.Config(decay=decay), initial, now, 1)
    assert done.anchor is not None and done.anchor["w"].item() == expected


def test_it_comes_to_rest_at_the_regularized_nash_policy() -> None:
    """The opponent is an average of the logits, which lags behind the policy."""
    config = nash_ema.Config(tau=0.5, decay=0.8)
    average_R: list[torch.Tensor] = []

    def opponent(policy_R: torch.Tensor) -> torch.Tensor:
        memory = {"w": average_R[-1] if average_R else policy_R.log()}
        anchor = nash_ema.after_step(config, memory, {"w": policy_R.log()}, 1).anchor
        assert anchor is not None
        average_R.append(anchor["w"])
        return torch.softmax(anchor["w"], -1)

    found_R = games.at_rest(nash_ema, config, opponent)
    assert found_R.tolist() == pytest.approx([0.5097, 0.2559, 0.2344], abs=5e-5)


def test_advantages_by_hand() -> None:
    """Against an average at (.3, .3, .4) the cycle wins (.47, .53, .5); the policy is elsewhere, at
    log(pi / pi_ref) = (-.9163, 0, .9163), of which a tenth is the price.
    """
    policy_R, average_R = torch.tensor([[0.2, 0.3, 0.5], [0.3, 0.3, 0.4]], dtype=torch.float64)
    rollout = games.every_response(policy_R.log(), average_R)
    found = nash_ema.advantages(nash_ema.Config(tau=0.1), rollout)[0]
    assert found.tolist() == pytest.approx([0.0616, 0.03, -0.0916], abs=5e-5)
