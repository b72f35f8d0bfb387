from __future__ import annotations

from types import ModuleType

import pytest
import torch
from torch import Tensor

from overopt.methods.contract.samples import Rollout
from overopt.methods.math.constraints import Multipliers
from overopt.methods.rollout import constrained_mu, constrained_xi

from . import rollouts

SCORE_RK = torch.stack([rollouts.REWARD_R, torch.tensor([0.4, 0.9, -0.3]).double()], -1)


def scored(score_BNK: Tensor, memory: Multipliers, ratio: list[float]) -> Rollout:
    seen = rollouts.rollout(score_BNK.mean(-1)[0].tolist(), ratio)
    return seen._replace(memory=memory, member_reward=score_BNK)


def test_multipliers_by_hand() -> None:
    """u .5: tanh .4621, slope (1 - .4621^2)(.5 - .44) = .0472; the next one is .4584."""
    config = constrained_xi.Config(theta=0.44)
    before = Multipliers(torch.tensor([0.5]), torch.zeros(1))
    seen = scored(torch.tensor([[[0.4], [0.6]]]), before, [0.0, 0.0])
    after = constrained_xi.observe(config, before, seen)
    assert after.velocity is not None and after.u is not None
    assert after.velocity.item() == pytest.approx(0.0472, abs=5e-5)
    assert torch.tanh(after.u).item() == pytest.approx(0.4584, abs=5e-5)


def test_the_first_multipliers_are_zero_and_pull_from_both_sides() -> None:
    config = constrained_xi.Config(theta=0.5)
    seen = scored(torch.tensor([[[1.0, 0.0], [1.0, 0.0]]]), Multipliers(), [0.0, 0.0])
    after = constrained_xi.observe(config, constrained_xi.begin(config, {}), seen)
    assert after.u is not None
    assert after.u[0].item() < 0 < after.u[1].item()


@pytest.mark.parametrize("method", [constrained_mu, constrained_xi])
def test_each_member_may_have_a_threshold_of_its_own(method: ModuleType) -> None:
    """Scores of .6 under thresholds 2 x .4 and 2 x .2: one is pushed up, the other is not."""
    config = method.Config(theta=2.0, shares="0.4,0.2")
    seen = scored(torch.full((1, 2, 2), 0.6), Multipliers(), [0.0, 0.0])
    after = method.observe(config, method.begin(config, {}), seen)
    assert after.u[0].item() > 0 > after.u[1].item()
    assert after.u[0].item() == pytest.approx(-after.u[1].item())
    alike = method.Config(theta=2.0, shares="0.4,0.4")
    plain = method.Config(theta=0.8)
    of_alike, of_plain = (
        method.observe(one, method.begin(one, {}), seen).u for one in (alike, plain)
    )
    assert of_alike.tolist() == pytest.approx(of_plain.tolist())


@pytest.mark.parametrize("shares", ["1", "1,2,3", "1,a", "1,nan"])
def test_shares_are_a_number_for_each_member(shares: str) -> None:
    seen = scored(torch.full((1, 2, 2), 0.6), Multipliers(), [0.0, 0.0])
    with pytest.raises(ValueError, match="one number for each of 2 members"):
        constrained_xi.observe(constrained_xi.Config(shares=shares), Multipliers(), seen)


def test_advantages_by_hand() -> None:
    """Multipliers tanh .5 and -tanh .5 sum to 0: 2 x .2 + .4621 x (1 + .5)."""
    memory = Multipliers(torch.tensor([0.5, -0.5]).double())
    config = constrained_xi.Config(standardized=False, kl_weight=0.2)
    score_BNK = torch.tensor([[[1.0, 0.0], [0.0, 0.5]]]).double()
    found = constrained_xi.advantages(config, scored(score_BNK, memory, [0.0, 1.0]))
    assert found[0].tolist() == pytest.approx([1.0932, -1.0932], abs=5e-5)


@pytest.mark.parametrize("theta", [0.6, 0.3])
def test_it_comes_to_rest_at_the_thresholds(theta: float) -> None:
    """The mean of the first score is .7 at the start: .6 and .3 are reached from above."""
    config = constrained_xi.Config(
        theta=theta, standardized=False, kl_weight=0.5, multiplier_rate=0.5
    )
    logp_R, memory = rollouts.REFERENCE_R.log(), Multipliers()
    for _ in range(2500):
        chance_R = logp_R.exp()
        mean = (chance_R @ SCORE_RK[:, :1])[None, None]
        memory = constrained_xi.observe(config, memory, scored(mean, memory, [0.0]))
        ratio = (logp_R - rollouts.REFERENCE_R.log()).tolist()
        seen = scored(SCORE_RK[None, :, :1], memory, ratio)
        gain_R = constrained_xi.advantages(config, seen)[0]
        logp_R = torch.log_softmax(logp_R + 0.2 * gain_R, -1)
    assert (logp_R.exp() @ SCORE_RK[:, 0]).item() == pytest.approx(theta, abs=1e-3)
