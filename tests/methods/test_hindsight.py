from __future__ import annotations

import pytest
import torch
from torch import Tensor

from overopt.methods.contract.iterative import SamplePairs
from overopt.methods.contract.reading import Reading
from overopt.methods.iterative import hindsight
from tabular_optima import table

from . import fresh
from .three_responses import LOG_REFERENCE_R, REWARD_R


def test_every_sample_is_read_under_both_instructions() -> None:
    built = hindsight.build(hindsight.Config(success=1.0), fresh.rollout([[0.0, 1.0], [2.0, -1.0]]))
    assert built.chosen_P.tolist() == built.rejected_P.tolist() == [0, 1, 2, 3]
    assert built.chosen_control_P is not None and built.rejected_control_P is not None
    assert built.chosen_control_P.tolist() == [True, False, False, True]
    assert built.rejected_control_P.tolist() == [False, True, True, False]


def test_loss_by_hand() -> None:
    """Means -.75 and -1.5, d = .75: .75 + .8 .3869 + .2 1.1369, by the authors' form."""
    mask = torch.tensor([[1.0, 1.0, 0.0]])
    followed = Reading(torch.tensor([[-0.5, -1.0, 0.0]]), torch.zeros(1, 3), mask)
    other = Reading(torch.tensor([[-2.0, -1.0, 0.0]]), torch.zeros(1, 3), mask)
    found = hindsight.loss(hindsight.Config(), SamplePairs(followed, other)).item()
    right, wrong = torch.tensor([-0.75, -1.5]).exp()
    share = right / (right + wrong)
    theirs = 0.75 - 0.8 * torch.log(share) - 0.2 * torch.log(1 - share)
    assert found == pytest.approx(theirs.item(), abs=1e-6)
    assert found == pytest.approx(1.2869, abs=5e-5)


@pytest.mark.parametrize("contrast", [0.0, 1.0])
def test_the_likelihoods_optimum_is_the_policy_among_those_that_succeed(contrast: float) -> None:
    """(0, .6, .4); smoothing keeps some likelihood of a failure after the other instruction."""
    config = hindsight.Config(success=1.0, contrast=contrast, smoothing=0.2 * contrast)
    built = hindsight.build(config, fresh.rollout(REWARD_R[None]))
    assert built.chosen_control_P is not None and built.rejected_control_P is not None
    controls = (built.chosen_control_P.long(), built.rejected_control_P.long())

    def loss(logits_6: Tensor) -> Tensor:
        logp_2R = torch.log_softmax(logits_6.view(2, 3), -1)
        one = torch.ones(3, 1, dtype=torch.float64)
        sides = (
            Reading(logp_2R[control_R, torch.arange(3)][:, None], 0 * one, one)
            for control_R in controls
        )
        return (LOG_REFERENCE_R.exp() * hindsight.loss(config, SamplePairs(*sides))).sum()

    found_6 = table.minimize(loss, torch.cat([LOG_REFERENCE_R, LOG_REFERENCE_R]))
    good_R, bad_R = torch.softmax(found_6.view(2, 3), -1)
    if contrast:
        assert 0 < good_R[0] < 0.3 and bad_R[0] > 0.6
        assert good_R[1] / good_R[2] == pytest.approx(1.5, abs=0.3)
    else:
        assert good_R.tolist() == pytest.approx([0.0, 0.6, 0.4], abs=1e-3)
        assert bad_R.tolist() == pytest.approx([1.0, 0.0, 0.0], abs=1e-3)
