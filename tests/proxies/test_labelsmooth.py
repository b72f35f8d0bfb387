import math

import pytest
import torch
from scipy.optimize import minimize_scalar
from torch.testing import assert_close

from overopt.models.rewards.reward_fitting import bradley_terry_loss
from overopt.proxies.contract.training import RewardBatch
from overopt.proxies.labelsmooth import Config, loss


def batch(*margins: float) -> RewardBatch:
    return RewardBatch(torch.tensor(margins) + 0.7, torch.full((len(margins),), 0.7))


def test_loss_by_hand() -> None:
    # -(.9) log sigmoid(1) - .1 log sigmoid(-1) = .9 * .313262 + .1 * 1.313262
    assert loss(Config(), batch(1.0)).item() == pytest.approx(0.413262, abs=1e-6)
    assert loss(Config(smoothing=0.25), batch(-2.0)).item() == pytest.approx(
        0.75 * math.log1p(math.exp(2.0)) + 0.25 * math.log1p(math.exp(-2.0)), abs=1e-6
    )


def test_without_smoothing_it_is_bradley_terry() -> None:
    given = batch(-3.0, 0.0, 2.5)
    assert_close(loss(Config(smoothing=0.0), given), bradley_terry_loss(*given[:2]))


@pytest.mark.parametrize("share", [0.05, 0.1, 0.3])
def test_its_minimum_is_the_log_odds_of_a_right_label(share: float) -> None:
    config = Config(smoothing=share)
    found = minimize_scalar(lambda margin: loss(config, batch(margin)).item(), bounds=(0.0, 8.0))
    assert found.x == pytest.approx(math.log((1 - share) / share), abs=2e-3)


def test_at_one_half_no_reward_is_better_than_a_constant() -> None:
    half = Config(smoothing=0.5)
    assert_close(loss(half, batch(2.0)), loss(half, batch(-2.0)))
    assert loss(half, batch(0.0)) < loss(half, batch(0.5))
