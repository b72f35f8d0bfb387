from __future__ import annotations

from typing import Any

import pytest
import torch

from overopt.methods.contract.pairs import PairBatch
from overopt.methods.contract.reading import Reading
from overopt.methods.pairs import dpo, ipo, isdaa
from tabular_optima import table

from . import pairs


def pair(chosen: float, rejected: float) -> PairBatch:
    """One pair of one token each with these log-ratios, and gradient."""
    sides = [torch.tensor([[value]], requires_grad=True) for value in (chosen, rejected)]
    return PairBatch.of(Reading(one, torch.zeros(1, 1), torch.ones(1, 1)) for one in sides)


@pytest.mark.parametrize(
    ("base", "clip", "chosen", "rejected", "expected"),
    [
        ("dpo", 0.25, 0.4, -0.8, 0.2933),  # exp(-.4) = .6703; log(1 + exp(-.6)) = .4375
        ("ipo", 0.25, 0.4, -0.8, 0.0268),  # .6703 (1.2 - 1)^2
        ("dpo", 0.25, 1.2, 0.0, 0.7213),  # clipped: exp(.5) = 1.6487
        ("dpo", 1.0, 1.2, 0.0, 1.4525),  # exp(1.2) = 3.3201
    ],
)
def test_loss_by_hand(
    base: str, clip: float, chosen: float, rejected: float, expected: float
) -> None:
    config = isdaa.Config(beta=0.5, clip=clip, base=base)
    assert isdaa.loss(config, pair(chosen, rejected)).item() == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(("base", "method"), [("dpo", dpo), ("ipo", ipo)])
def test_at_the_start_it_is_the_loss_that_it_weights(base: str, method: Any) -> None:
    batch = pair(0.0, 0.0)
    found = isdaa.loss(isdaa.Config(beta=0.5, base=base), batch)
    assert torch.equal(found, method.loss(method.Config(beta=0.5), batch))


def test_the_weight_carries_no_gradient() -> None:
    batch = pair(0.4, -0.8)
    logp = batch.chosen.policy_logp
    (weighted,) = torch.autograd.grad(isdaa.loss(isdaa.Config(beta=0.5), batch).sum(), logp)
    (plain,) = torch.autograd.grad(dpo.loss(dpo.Config(beta=0.5), batch).sum(), logp)
    assert weighted.item() == pytest.approx(plain.item() * 0.6703, abs=1e-4)


def test_only_large_weights_are_clipped() -> None:
    batch = pairs.worked()  # r_w + r_l is 0 in both
    assert torch.equal(isdaa.loss(isdaa.Config(), batch), dpo.loss(dpo.Config(), batch))
    small = isdaa.loss(isdaa.Config(beta=0.5, clip=0.0), pair(-2.0, -3.0))
    assert small.item() == pytest.approx(
        torch.tensor(-5.0).exp().item() * dpo.loss(dpo.Config(beta=0.5), pair(-2.0, -3.0)).item()
    )


def test_with_all_pairs_at_hand_the_optimum_is_dpos() -> None:
    """Each pair's weight is common to both labels, and a loss of both has its minimum there."""

    def gradient(logits_R: torch.Tensor) -> torch.Tensor:
        logits_R = logits_R.clone().requires_grad_()
        batch, chance_P = table.all_pairs(logits_R)
        loss = (chance_P * isdaa.loss(isdaa.Config(beta=0.7, clip=1.0), batch)).sum()
        (slope_R,) = torch.autograd.grad(loss, logits_R)
        return slope_R

    assert gradient(table.tilted(0.7)).abs().max() < 1e-9
    assert gradient(table.tilted(1.0)).abs().max() > 1e-4
