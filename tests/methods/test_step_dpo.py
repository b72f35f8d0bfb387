from __future__ import annotations

import math

import pytest
import torch

from overopt.methods.pairs import dpo, step_dpo

from . import pairs


def test_loss_by_hand() -> None:
    """Steps whose log-ratios differ by 2 and by -1, beta .5."""
    found = step_dpo.loss(step_dpo.Config(beta=0.5), pairs.worked()).tolist()
    assert found == pytest.approx([math.log1p(math.exp(-1.0)), math.log1p(math.exp(0.5))])


def test_steps_are_to_it_what_responses_are_to_dpo() -> None:
    batch = pairs.random(torch.Generator().manual_seed(0))
    assert torch.equal(
        step_dpo.loss(step_dpo.Config(beta=0.4), batch), dpo.loss(dpo.Config(beta=0.4), batch)
    )
