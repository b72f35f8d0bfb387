from functools import partial
from pathlib import Path

import pytest
import torch

from overopt.methods.pairs import apo_zero

from . import three_responses, trl_pairs


def test_loss_by_hand() -> None:
    """1 - s(.2) + s(-.4) = 1 - .5498 + .4013."""
    loss = apo_zero.loss(apo_zero.Config(beta=0.5), three_responses.pair()).item()
    assert loss == pytest.approx(0.8515, abs=5e-5)


def test_loss_at_the_start_is_one_and_each_side_has_its_own_gradient() -> None:
    """beta / 4 a token, upward for the chosen response, downward for the other."""
    batch = three_responses.at_the_start(three_responses.pair())
    sides = [side.policy_logp.requires_grad_() for side in (batch.chosen, batch.rejected)]
    loss = apo_zero.loss(apo_zero.Config(beta=0.5), batch)
    chosen_BT, rejected_BT = torch.autograd.grad(loss.sum(), sides)
    assert loss.item() == pytest.approx(1.0)
    assert (chosen_BT[0, 0].item(), rejected_BT[0, 0].item()) == pytest.approx((-0.125, 0.125))


@pytest.mark.parametrize("beta", [0.1, 0.7])
def test_loss_is_trls(tmp_path: Path, beta: float) -> None:
    loss = partial(apo_zero.loss, apo_zero.Config(beta))
    trl_pairs.assert_same(tmp_path, loss, ["apo_zero"], beta=beta)
