import math

import numpy as np
import pytest
import torch

from overopt.proxies.contract.heads import ReadBatch, Reading
from overopt.proxies.contract.known import KnownPairs
from overopt.proxies.om_weight import Config, loss, prepare

CHOSEN_PD = np.array([[3.0, 4.0], [0.0, 0.0], [1.0, 1.0]])
REJECTED_PD = np.array([[0.0, 0.0], [0.0, 3.0], [1.0, 1.0]])
OPTIMIZED_PD = np.array([[0.0, 0.0], [0.0, 0.0], [1.0, 3.0]])


def weights(sharpness: float = 1.0) -> list[float]:
    known = KnownPairs(CHOSEN_PD, REJECTED_PD, optimized_PD=OPTIMIZED_PD)
    return list(prepare(Config(sharpness=sharpness), known)["weight"])


def test_weights_by_hand() -> None:
    """Distances (5 + 0) / 2, (0 + 3) / 2 and (2 + 2) / 2: 2.5, 1.5 and 2, whose mean is 2."""
    raw = [math.exp(-1.25), math.exp(-0.75), math.exp(-1.0)]
    expected = [3 * one / sum(raw) for one in raw]
    assert weights() == pytest.approx(expected)
    assert sum(weights(sharpness=4.0)) == pytest.approx(3.0)
    assert weights(sharpness=4.0)[1] > weights()[1] > 1 > weights()[0]


def test_without_sharpness_or_distance_all_weigh_1() -> None:
    assert weights(sharpness=0.0) == [1.0, 1.0, 1.0]
    same = KnownPairs(CHOSEN_PD, CHOSEN_PD, optimized_PD=CHOSEN_PD)
    assert prepare(Config(), same)["weight"].tolist() == [1.0, 1.0, 1.0]


def test_loss_by_hand() -> None:
    labels = {"weight": torch.tensor([2.0, 0.5])}
    margin_P = torch.tensor([1.0, 0.0])
    batch = ReadBatch(margin_P, torch.zeros(2), Reading(), Reading(), labels)
    assert loss(Config(), batch).tolist() == pytest.approx([0.626523, 0.346574], abs=1e-6)
