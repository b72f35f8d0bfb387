import math

import pytest
import torch

from overopt.methods.contract.reading import Reading
from overopt.methods.contract.rollout import RolloutStep
from overopt.methods.contract.samples import Rollout
from overopt.methods.rollout import chi2_rl


def rollout(reward: list[float], log_ratio: list[float]) -> Rollout:
    """One prompt, responses of one token."""
    ratio_BNT = torch.tensor([[[value] for value in log_ratio]])
    sampled = Reading(ratio_BNT, 0 * ratio_BNT, torch.ones_like(ratio_BNT))
    return Rollout(torch.tensor([reward]), sampled)


def test_chi_squared_by_hand() -> None:
    # rho = 1 and 2: the mean of 1 + 1 - 2 and 2 + 1/2 - 2
    assert chi2_rl.chi_squared(torch.tensor([0.0, math.log(2)])).item() == pytest.approx(0.25)


def test_chi_squared_has_a_floor() -> None:
    assert chi2_rl.chi_squared(torch.zeros(3)).item() == pytest.approx(1e-4)


def test_the_estimate_is_unbiased() -> None:
    """E_pi[rho + 1/rho - 2] = sum pi^2 / pi_ref - 1, enumerated."""
    p, q = torch.tensor([0.5, 0.3, 0.2]).double(), torch.tensor([0.2, 0.3, 0.5]).double()
    estimate = (chi2_rl.ratio((p / q).log()) + chi2_rl.ratio((q / p).log()) - 2) * p
    assert estimate.sum().item() == pytest.approx((p**2 / q).sum().item() - 1)


def test_ratio_goes_on_linearly() -> None:
    top = math.exp(10)
    ratio = chi2_rl.ratio(torch.tensor([-1.0, 10.0, 11.0, 40.0]).double())
    assert ratio.tolist() == pytest.approx([math.exp(-1), top, 2 * top, 31 * top])


def test_advantages_by_hand() -> None:
    # chi^2 = 0.25, price 0.5 / 0.5 = 1: R' = 1 - 1 and 4 - 2, each minus the other
    seen = rollout([1.0, 4.0], [0.0, math.log(2)])
    advantage_BN = chi2_rl.advantages(chi2_rl.Config(coefficient=0.5), seen)
    assert advantage_BN[0].tolist() == pytest.approx([-2.0, 2.0], abs=1e-5)


def test_without_a_coefficient_it_is_reinforce() -> None:
    seen = rollout([1.0, 2.0, 6.0], [0.3, -2.0, 1.0])
    advantage_BN = chi2_rl.advantages(chi2_rl.Config(coefficient=0.0), seen)
    assert advantage_BN.tolist() == [[-3.0, -1.5, 4.5]]
    loss_BN = chi2_rl.loss(chi2_rl.Config(), RolloutStep(seen, seen.sampled, advantage_BN))
    assert loss_BN[0].tolist() == pytest.approx([3 * 0.3, 1.5 * -2.0, -4.5 * 1.0])
