import math

import pytest
import torch
from torch.testing import assert_close

from overopt.models.rewards.reward_fitting import bradley_terry_loss
from overopt.proxies.contract.training import RewardBatch
from overopt.proxies.rdpo_rm import Config, loss

MARGINS = torch.tensor([-3.0, -0.5, 0.0, 1.0, 4.0], dtype=torch.float64)


def batch(margin_P: torch.Tensor) -> RewardBatch:
    return RewardBatch(margin_P - 1.2, torch.full_like(margin_P, -1.2))


def test_loss_by_hand() -> None:
    # (.9 * .313262 - .1 * 1.313262) / .8
    assert loss(Config(), batch(MARGINS[3:4])).item() == pytest.approx(0.188262, abs=1e-6)


def test_without_flips_it_is_bradley_terry() -> None:
    assert_close(loss(Config(flips=0.0), batch(MARGINS)), bradley_terry_loss(*batch(MARGINS)[:2]))


@pytest.mark.parametrize("share", [0.1, 0.25, 0.4])
def test_its_mean_under_flips_is_the_clean_loss(share: float) -> None:
    config = Config(flips=share)
    kept, flipped = loss(config, batch(MARGINS)), loss(config, batch(-MARGINS))
    clean = bradley_terry_loss(*batch(MARGINS)[:2])
    assert_close((1 - share) * kept + share * flipped, clean)


def test_it_falls_without_bound() -> None:
    far = torch.tensor([60.0, 61.0], dtype=torch.float64)
    slope = loss(Config(), batch(far)).diff().item()
    assert slope == pytest.approx(-0.1 / 0.8)
    assert loss(Config(), batch(far))[0].item() < -7.0
    assert math.isfinite(loss(Config(), batch(far * 100))[1].item())
