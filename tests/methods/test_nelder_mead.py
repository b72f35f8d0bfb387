from __future__ import annotations

import pytest
import torch
from torch import Tensor

from overopt.methods.math import nelder_mead


def after(values: list[float], tolerance: float = 0.01) -> nelder_mead.Search:
    """A search from (.2, .2), (.4, .2), (.2, .4) that has been told these values."""
    search = nelder_mead.begin(torch.tensor([0.2, 0.2]), 0.2)
    for value in values:
        search = nelder_mead.told(search, value, tolerance)
    return search


@pytest.mark.parametrize(
    ("values", "phase", "asked"),
    [
        ([], "vertex", [0.2, 0.2]),
        ([3.0, 1.0], "vertex", [0.2, 0.4]),
        ([3.0, 1.0, 2.0], "reflect", [0.4, 0.4]),
        ([3.0, 1.0, 2.0, 0.5], "expand", [0.5, 0.5]),
        ([3.0, 1.0, 2.0, 2.5], "contract", [0.35, 0.35]),
        ([3.0, 1.0, 2.0, 4.0], "contract", [0.25, 0.25]),
        # the contraction is no better: both others go half the way to the best
        ([3.0, 1.0, 2.0, 4.0, 3.5], "vertex", [0.3, 0.3]),
        ([3.0, 1.0, 2.0, 4.0, 3.5, 1.0], "vertex", [0.3, 0.2]),
        # the worst is now (.2, .4), the center that of (.4, .2) and (.4, .4)
        ([3.0, 1.0, 2.0, 1.5], "reflect", [0.6, 0.2]),
        # the expansion is worse than the reflection, which is taken
        ([3.0, 1.0, 2.0, 0.5, 0.7], "reflect", [0.6, 0.2]),
    ],
)
def test_steps_by_hand(values: list[float], phase: str, asked: list[float]) -> None:
    search = after(values)
    assert search.phase == phase
    assert search.asked_K.tolist() == pytest.approx(asked)


def test_it_ends_at_its_best_point() -> None:
    search = after([1.005, 1.0, 1.009, 0.0, 7.0])
    assert search.phase == "done"
    assert search.asked_K.tolist() == pytest.approx([0.4, 0.2])


@pytest.mark.parametrize("best", [(0.7, -0.3), (0.1,), (2.0, 1.0, -1.0)])
def test_it_finds_a_minimum(best: tuple[float, ...]) -> None:
    def bowl(at_K: Tensor) -> float:
        return float(((at_K - torch.tensor(best)) ** 2).sum())

    search = nelder_mead.begin(torch.zeros(len(best)), 0.5)
    for _ in range(300):
        search = nelder_mead.told(search, bowl(search.asked_K), 1e-9)
    assert search.phase == "done"
    assert search.asked_K.tolist() == pytest.approx(best, abs=1e-3)
