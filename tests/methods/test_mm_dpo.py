from __future__ import annotations

import math

import pytest
import torch

from overopt.methods.contract.pairs import PairBatch
from overopt.methods.pairs import dpo, mm_dpo

from . import pairs


def scored(batch: PairBatch, *margins: float) -> PairBatch:
    """The same pairs, the rejected responses at a score of -1."""
    margin_B = torch.tensor(margins)
    return batch._replace(
        chosen=batch.chosen._replace(score=margin_B - 1),
        rejected=batch.rejected._replace(score=torch.full_like(margin_B, -1.0)),
    )


def test_loss_by_hand() -> None:
    """h 2 and -1, beta .5, w .5, k ln 2: margins of 1 and 2 give beta .625 and .6875."""
    config = mm_dpo.Config(beta=0.5, scale=0.5, rate=math.log(2))
    found = mm_dpo.loss(config, scored(pairs.worked(), 1.0, 2.0)).tolist()
    expected = [math.log1p(math.exp(-0.625 * 2)), math.log1p(math.exp(0.6875))]
    assert found == pytest.approx(expected, abs=1e-6)


def test_without_margins_or_weight_it_is_dpo() -> None:
    batch = pairs.worked()
    plain = dpo.loss(dpo.Config(beta=0.5), batch)
    for config, margins in (
        (mm_dpo.Config(beta=0.5), (0.0, 0.0)),
        (mm_dpo.Config(beta=0.5, scale=0.0), (3.0, -2.0)),
        (mm_dpo.Config(beta=0.5, rate=0.0), (3.0, -2.0)),
        (mm_dpo.Config(beta=0.5, scale=0.0, rate=20.0), (-5.0, -5.0)),
    ):
        assert torch.equal(mm_dpo.loss(config, scored(batch, *margins)), plain)


def test_a_large_margin_adds_w_at_most() -> None:
    batch = pairs.worked()
    found = mm_dpo.loss(mm_dpo.Config(beta=0.4, scale=0.5), scored(batch, 100.0, 100.0))
    assert torch.allclose(found, dpo.loss(dpo.Config(beta=0.6), batch))


def test_where_the_proxy_contradicts_the_label_little_is_left_of_beta() -> None:
    batch = pairs.worked()
    found = mm_dpo.loss(mm_dpo.Config(beta=0.4, scale=1.0), scored(batch, -100.0, -100.0))
    assert torch.allclose(found, dpo.loss(dpo.Config(beta=mm_dpo.BETA_MIN), batch))
