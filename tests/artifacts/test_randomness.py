"""Streams depend on the seed and on what they are for, and on nothing else."""

from __future__ import annotations

import numpy as np
import torch

from overopt.artifacts.randomness import derived_seed, numpy_rng, torch_rng


def test_equal_labels_give_equal_streams() -> None:
    assert (numpy_rng(3, "a", 1).random(8) == numpy_rng(3, "a", 1).random(8)).all()
    first, second = (torch.rand(8, generator=torch_rng(3, "a", 1)) for _ in range(2))
    assert torch.equal(first, second)


def test_seed_label_number_and_order_all_matter() -> None:
    uses: tuple[tuple[str | int, ...], ...] = (
        ("a",), ("b",), ("a", 0), ("a", 1), ("a", 0, 0), (1, "a"), ("a", "b"), ("b", "a"),
    )  # fmt: skip
    seeds = {derived_seed(seed, *labels) for seed in (0, 1) for labels in uses}
    assert len(seeds) == 2 * len(uses)
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_streams_of_different_uses_are_uncorrelated() -> None:
    draws = np.stack([numpy_rng(0, "use", i).standard_normal(4000) for i in range(12)])
    correlation = np.corrcoef(draws) - np.eye(12)
    # 66 pairs with a standard error of 1/sqrt(4000) = 0.0158 each.
    assert np.abs(correlation).max() < 4 * 0.0158


def test_drawing_leaves_the_global_state_alone() -> None:
    before = torch.get_rng_state()
    torch.rand(3, generator=torch_rng(0, "x"))
    numpy_rng(0, "x").random(3)
    assert torch.equal(torch.get_rng_state(), before)
