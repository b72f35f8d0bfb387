import math

import numpy as np
import pytest
import torch

from overopt.proxies.contract.heads import ReadBatch, Reading
from overopt.proxies.contract.known import KnownPairs
from overopt.proxies.ocrm import Config, log_ratio, loss, prepare

NONE_PD = np.zeros((2, 1))
RATIOS = np.array([math.log(2.0), math.log(0.5)])


def weights(config: Config, chosen: np.ndarray, rejected: np.ndarray) -> list[float]:
    known = KnownPairs(NONE_PD, NONE_PD, {}, chosen, rejected)
    return list(prepare(config, known)["weight"])


def test_weights_by_hand() -> None:
    """Ratios 2 and 2, and 1/2 and 1/2: products 4 and 1/4, whose mean is 17/8."""
    plain = Config(relative=0.0, normalize=False, power=1.0)
    assert weights(plain, RATIOS, RATIOS) == pytest.approx([4.0, 0.25])
    whole = Config(relative=0.0, power=1.0)
    assert weights(whole, RATIOS, RATIOS) == pytest.approx([32 / 17, 2 / 17])
    half = Config(relative=0.0, normalize=False, power=0.5)
    assert weights(half, RATIOS, RATIOS) == pytest.approx([2.0, 0.5])
    # 2 / (.1 * 2 + .9) = 1.818182; .5 / (.05 + .9) = .526316
    relative = weights(Config(normalize=False, power=1.0), RATIOS, RATIOS)
    assert relative == pytest.approx([1.818182**2, 0.526316**2], abs=1e-5)


def test_a_share_of_the_policy_bounds_the_ratio_without_overflow() -> None:
    found = np.exp(log_ratio(Config(), np.array([2000.0, 0.0, -2000.0])))
    assert found == pytest.approx([10.0, 1.0, 0.0])
    assert log_ratio(Config(relative=1.0), RATIOS).tolist() == [0.0, 0.0]


def test_a_policy_far_away_leaves_most_pairs_their_weight_at_the_default() -> None:
    """Squared sum of weights over the sum of their squares, of 1,024: as many pairs count.

    Log q are normal, SD 40 for a pair: exp(-(.01 x 40)^2) of the pairs, and one with m = 1.
    """
    ratio_2P = np.random.default_rng(0).normal(-150.0, 40.0 / math.sqrt(2.0), (2, 1024))

    def effective(config: Config) -> float:
        weight = np.array(weights(config, *ratio_2P))
        return float(weight.sum() ** 2 / (weight**2).sum())

    assert effective(Config()) == pytest.approx(1024 * math.exp(-0.16), rel=0.02)
    assert effective(Config(power=1.0)) < 3


def test_without_power_or_with_the_same_policy_all_pairs_weigh_1() -> None:
    assert weights(Config(power=0.0), RATIOS, RATIOS) == [1.0, 1.0]
    assert weights(Config(), np.zeros(2), np.zeros(2)) == pytest.approx([1.0, 1.0])


def test_loss_by_hand() -> None:
    labels = {"weight": torch.tensor([2.0, 0.0])}
    margin_P = torch.tensor([1.0, 1.0])
    batch = ReadBatch(margin_P, torch.zeros(2), Reading(), Reading(), labels)
    assert loss(Config(), batch).tolist() == pytest.approx([0.626523, 0.0], abs=1e-6)
