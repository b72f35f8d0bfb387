from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from overopt.methods.contract.iterative import SamplePairs
from overopt.methods.contract.reading import Reading
from overopt.methods.iterative import irpo, iter_dpo

from . import fresh, trl_pairs


def test_best_and_worst_make_the_pair() -> None:
    pairs = irpo.build(irpo.Config(), fresh.rollout([[1.0, 3.0, 2.0, 0.0], [5.0] * 4]))
    assert (pairs.chosen_P.tolist(), pairs.rejected_P.tolist()) == ([1], [3])


def test_loss_by_hand() -> None:
    """.1 (.3 + .1): .6733, and .5 (1 + 2)/2 for the likelihood of two tokens."""
    mask = torch.ones(1, 2)
    chosen = Reading(torch.tensor([[-1.0, -2.0]]), torch.zeros(1, 2), mask)
    rejected = Reading(torch.tensor([[-4.0, -5.0]]), torch.zeros(1, 2), mask)
    batch = SamplePairs(
        chosen._replace(sampled_logp=torch.tensor([[-1.3, -2.0]])),
        rejected._replace(sampled_logp=torch.tensor([[-3.9, -5.0]])),
    )
    found = irpo.loss(irpo.Config(beta=0.1, alpha=0.5), batch).item()
    assert found == pytest.approx(0.6733 + 0.75, abs=5e-5)


def test_without_the_likelihood_it_is_iterative_dpo() -> None:
    pair = fresh.sides((9.0, 0.3), (-9.0, -0.1))
    ours = irpo.loss(irpo.Config(beta=0.7, alpha=0.0), pair)
    assert torch.equal(ours, iter_dpo.loss(iter_dpo.Config(beta=0.7), pair))


def test_loss_is_trls(tmp_path: Path) -> None:
    config = irpo.Config(beta=0.3, alpha=0.5)

    def loss(batch: Any) -> Any:
        sides = (side._replace(sampled_logp=side.reference_logp) for side in batch[:2])
        return irpo.loss(config, SamplePairs(*sides))

    rows = trl_pairs.CHOSEN_OF_THREE
    weights = [1.0, 0.5]
    trl_pairs.assert_same(tmp_path, loss, ["sigmoid", "sft"], rows, beta=0.3, loss_weights=weights)
