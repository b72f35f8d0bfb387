from functools import partial
from pathlib import Path

import pytest
import torch

from overopt.methods.pairs import apo_down

from . import three_responses, trl_pairs


def test_loss_by_hand() -> None:
    """s(.2) + 1 - s(.6) = .5498 + .3543."""
    loss = apo_down.loss(apo_down.Config(beta=0.5), three_responses.pair()).item()
    assert loss == pytest.approx(0.9042, abs=5e-5)


def test_at_the_start_a_chosen_response_is_held_and_a_rejected_one_falls() -> None:
    """Once r_w - r_l has grown to 2, the first falls too: .5 (.2350 - .1966)."""
    start = three_responses.at_the_start(three_responses.pair())
    for batch, chosen in ((start, 0.0), (three_responses.of_margin(2.0), 0.0192)):
        sides = [side.policy_logp.requires_grad_() for side in (batch.chosen, batch.rejected)]
        loss = apo_down.loss(apo_down.Config(beta=0.5), batch)
        chosen_BT, rejected_BT = torch.autograd.grad(loss.sum(), sides)
        assert chosen_BT[0, 0].item() == pytest.approx(chosen, abs=5e-5)
        assert rejected_BT[0, 0] > 0.09


@pytest.mark.parametrize("beta", [0.1, 0.7])
def test_loss_is_trls(tmp_path: Path, beta: float) -> None:
    loss = partial(apo_down.loss, apo_down.Config(beta))
    trl_pairs.assert_same(tmp_path, loss, ["apo_down"], beta=beta)
