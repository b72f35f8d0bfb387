from __future__ import annotations

import pytest
import torch

from overopt.methods.rollout import rloo, tsallis

from . import rollouts

POLICY_R = torch.tensor([0.2, 0.3, 0.5], dtype=torch.float64)
RATIO = (POLICY_R / rollouts.REFERENCE_R).log()


@pytest.mark.parametrize(
    ("q", "beta", "expected"),
    [(1.5, 0.5, [0.0513, 0.5, 0.6283]), (2.0, 1.0, [0.2, 0.0, -2.0])],
)
def test_augmented_rewards_by_hand(q: float, beta: float, expected: list[float]) -> None:
    """rho = .4, 1, 2.5; at q = 2 the price is 2 rho - 1."""
    found = rollouts.REWARD_R - beta * tsallis.slope(RATIO, q)
    assert found.tolist() == pytest.approx(expected, abs=5e-5)


@pytest.mark.parametrize(("q", "divergence"), [(1.5, 0.4341), (2.0, 0.6300), (1.0, 0.2749)])
def test_price_is_the_slope_of_the_divergence(q: float, divergence: float) -> None:
    """d/d pi of sum pi (rho^(q-1) - 1)/(q-1), at (.2, .3, .5)."""
    policy_R = POLICY_R.clone().requires_grad_()
    rho_R = policy_R / rollouts.REFERENCE_R
    each_R = rho_R.log() if q == 1 else (rho_R ** (q - 1) - 1) / (q - 1)
    value = (policy_R * each_R).sum()
    assert value.item() == pytest.approx(divergence, abs=5e-5)
    (slope_R,) = torch.autograd.grad(value, policy_R)
    assert torch.allclose(slope_R, tsallis.slope(RATIO, q))


def test_far_prices_go_on_along_the_tangent() -> None:
    """q = 2: 2 e^10 - 1 at 10 nats, and 2 e^10 more for each further one; q = 1 is KL's price."""
    far = torch.tensor([10.0, 12.0, 500.0], dtype=torch.float64)
    assert tsallis.slope(far, 1.0).tolist() == [11.0, 13.0, 501.0]
    expected = [44051.9316, 132157.7948, 21629988.4105]
    assert tsallis.slope(far, 2.0).tolist() == pytest.approx(expected, abs=5e-4)
    # at 9 nats the price is the plain one, 2 e^9 - 1
    assert tsallis.slope(far[1:2] - 3, 2.0).item() == pytest.approx(16205.1679, abs=5e-4)


@pytest.mark.parametrize("ratio", [[0.3, -2.0, 1.0], [12.0, 30.0, 1.0]])
def test_at_q_1_it_is_rloo(ratio: list[float]) -> None:
    seen = rollouts.rollout([1.0, 2.0, 6.0], ratio)
    found = tsallis.advantages(tsallis.Config(beta=0.4, q=1.0), seen)
    assert torch.allclose(found, rloo.advantages(rloo.Config(beta=0.4), seen))


def test_a_far_response_is_pulled_back() -> None:
    """Equal rewards, 12 and 30 nats away: .4 (30 - 12) = 7.2."""
    seen = rollouts.rollout([1.0, 1.0], [12.0, 30.0])
    found = tsallis.advantages(tsallis.Config(beta=0.4, q=1.0), seen)
    assert found[0].tolist() == pytest.approx([7.2, -7.2])


@pytest.mark.parametrize(
    ("q", "beta", "optimum"),
    [
        (2.0, 1.0, [0.325, 0.345, 0.330]),
        (2.0, 0.25, [0.0, 0.36, 0.64]),
        (1.5, 0.5, [0.0749, 0.3331, 0.5920]),
        (1.0, 1.0, rollouts.TILTED),
    ],
)
def test_it_comes_to_rest_at_its_optimum(q: float, beta: float, optimum: list[float]) -> None:
    found = rollouts.rest(tsallis, tsallis.Config(beta=beta, q=q), rate=0.15, steps=500)
    assert found == pytest.approx(optimum, abs=2e-4)
