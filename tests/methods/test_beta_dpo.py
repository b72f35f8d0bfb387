from __future__ import annotations

import math

import pytest
import torch

from overopt.methods.contract.pairs import PairBatch
from overopt.methods.contract.reading import Reading
from overopt.methods.pairs import beta_dpo, dpo


def margins(*values: float) -> PairBatch:
    """Pairs of one token with these margins, all of them from the chosen response."""
    margin_B1 = torch.tensor(values)[:, None].requires_grad_()
    zero_B1 = torch.zeros(len(values), 1)
    return PairBatch.of(Reading(one, zero_B1, zero_B1 + 1) for one in (margin_B1, zero_B1))


def seen(config: beta_dpo.Config, batch: PairBatch, mean: float = 0.0) -> PairBatch:
    return batch._replace(
        memory=beta_dpo.observe_pairs(config, beta_dpo.Memory(mean), batch),
    )


def test_the_running_mean_by_hand() -> None:
    """.9 * 2 + .1 * (0 + 1 + 2 + 3 + 10)/5 = 2.12."""
    batch = seen(beta_dpo.Config(), margins(0.0, 1.0, 2.0, 3.0, 10.0), 2.0)
    assert batch.memory.mean == pytest.approx(2.12)


def test_loss_by_hand() -> None:
    """m = .32: 10 is left out; the others' mean is 1.5, so that beta is .5 (1 + .6 * 1.18)."""
    config = beta_dpo.Config(beta=0.5, gain=0.6)
    batch = seen(config, margins(0.0, 1.0, 2.0, 3.0, 10.0))
    beta = 0.5 * (1 + 0.6 * (1.5 - 0.32))
    kept = [1.25 * math.log1p(math.exp(-beta * margin)) for margin in (0.0, 1.0, 2.0, 3.0)]
    assert beta_dpo.loss(config, batch).tolist() == pytest.approx([*kept, 0.0], abs=1e-6)


def test_without_gain_and_with_all_pairs_it_is_dpo() -> None:
    config = beta_dpo.Config(beta=0.5, gain=0.0, keep=1.0)
    batch = seen(config, margins(0.4, -1.2, 3.0), 1.0)
    assert torch.equal(beta_dpo.loss(config, batch), dpo.loss(dpo.Config(beta=0.5), batch))


def test_beta_does_not_fall_below_its_least() -> None:
    config = beta_dpo.Config(beta=0.5, gain=10.0, keep=1.0)
    batch = margins(-5.0, -6.0)._replace(memory=beta_dpo.Memory(0.0))
    least = dpo.loss(dpo.Config(beta=beta_dpo.BETA_MIN), batch)
    assert torch.equal(beta_dpo.loss(config, batch), least)


def test_beta_carries_no_gradient() -> None:
    config = beta_dpo.Config(beta=0.5, gain=0.6, keep=1.0)
    batch = margins(1.0, 2.0)._replace(memory=beta_dpo.Memory(0.5))
    logp = batch.chosen.policy_logp
    (found,) = torch.autograd.grad(beta_dpo.loss(config, batch).sum(), logp)
    plain = dpo.loss(dpo.Config(beta=0.5 * 1.6), batch)
    (expected,) = torch.autograd.grad(plain.sum(), logp)
    assert torch.allclose(found, expected)
