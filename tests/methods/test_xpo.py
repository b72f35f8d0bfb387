from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from overopt.methods.contract.iterative import SamplePairs
from overopt.methods.iterative import xpo

from . import fresh, trl_pairs


def test_each_sample_meets_one_of_the_initial_policy() -> None:
    seen = fresh.rollout([[0.0, 2.0, 1.0]])._replace(opponents=fresh.rollout([[1.0, 1.0, 1.0]]))
    built = xpo.build(xpo.Config(), seen)
    assert built.chosen_P.tolist() == [3, 1] and built.rejected_P.tolist() == [0, 4]
    assert built.label_P is not None and built.label_P.tolist() == [0.0, 1.0]


@pytest.mark.parametrize(("label", "other"), [(1.0, -3.0), (0.0, -5.0)])
def test_loss_by_hand(label: float, other: float) -> None:
    """.1 (.3 + .1): .6733, and .5 times the likelihood of the initial policy's sample."""
    chosen, rejected = fresh.sides((0.3, 9.0), (-0.1, -9.0), label)
    sides = [
        side._replace(
            policy_logp=side.policy_logp + shift, reference_logp=side.reference_logp + shift
        )
        for side, shift in ((chosen, -3.0), (rejected, -1.0))
    ]
    found = xpo.loss(xpo.Config(beta=0.1, alpha=0.5), SamplePairs(*sides)).item()
    assert found == pytest.approx(0.6733 + 0.5 * other, abs=5e-5)


@pytest.mark.parametrize(("label", "slopes"), [(1.0, (-0.05, 0.25)), (0.0, (0.15, 0.05))])
def test_the_bonus_pushes_the_initial_policys_sample_down(
    label: float, slopes: tuple[float, float]
) -> None:
    """At equal log-ratios DPO's slopes are -.05 and .05; .2 is added to that sample's."""
    pair = fresh.sides((0.0, 0.0), (0.0, 0.0), label)
    logps = [side.policy_logp.clone().requires_grad_() for side in pair]
    batch = SamplePairs(*(s._replace(policy_logp=p) for s, p in zip(pair, logps, strict=True)))
    loss = xpo.loss(xpo.Config(beta=0.1, alpha=0.2), batch).sum()
    found = [slope.item() for slope in torch.autograd.grad(loss, logps)]
    assert found == pytest.approx(slopes)


def test_without_the_bonus_loss_is_trls_of_dpo(tmp_path: Path) -> None:
    config = xpo.Config(beta=0.3, alpha=0.0)

    def loss(batch: Any) -> Any:
        ones = torch.ones(len(batch.chosen.mask))
        return xpo.loss(config, SamplePairs(*(side._replace(label=ones) for side in batch[:2])))

    trl_pairs.assert_same(tmp_path, loss, ["sigmoid"], beta=0.3)
