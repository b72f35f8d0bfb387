from functools import partial
from pathlib import Path

import pytest
import torch

from overopt.methods.pairs import dpo, rdpo

from . import three_responses, trl_pairs


def test_loss_by_hand() -> None:
    """(.9 * .4375 - .1 * 1.0375) / .8 = .3625."""
    (loss,) = rdpo.loss(rdpo.Config(beta=0.5, flips=0.1), three_responses.pair()).tolist()
    assert loss == pytest.approx(0.3625, abs=5e-5)


def test_without_flips_it_is_dpo() -> None:
    batch = three_responses.pair()
    ours = rdpo.loss(rdpo.Config(beta=0.7, flips=0.0), batch)
    assert torch.equal(ours, dpo.loss(dpo.Config(beta=0.7), batch))


def test_flipped_labels_leave_the_expected_loss_as_it_was() -> None:
    """(1-e) L(w, l) + e L(l, w) is DPO's loss, and its margin the true one."""
    batch = three_responses.of_margin(-3.0, 0.2, 1.7)
    config = rdpo.Config(beta=0.5, flips=0.2)
    mean_B = 0.8 * rdpo.loss(config, batch)
    mean_B = mean_B + 0.2 * rdpo.loss(config, three_responses.flipped(batch))
    assert torch.allclose(mean_B, dpo.loss(dpo.Config(beta=0.5), batch))
    wrong = 1 - (0.9 * torch.tensor(1.0).sigmoid() + 0.1 * torch.tensor(-1.0).sigmoid()).item()
    loss = partial(rdpo.loss, rdpo.Config(beta=1.0, flips=0.1))
    assert three_responses.best_margin(loss, wrong) == pytest.approx(1.0, abs=1e-5)


def test_gradient_does_not_fade() -> None:
    """beta times -.625 at h = 0 and -e / (1-2e) = -.125 far out, where the loss is negative."""
    batch = three_responses.of_margin(0.0, 200.0)
    chosen_B1 = batch.chosen.policy_logp.requires_grad_()
    loss_B = rdpo.loss(rdpo.Config(beta=0.5, flips=0.1), batch)
    (gradient_B1,) = torch.autograd.grad(loss_B.sum(), chosen_B1)
    assert gradient_B1.flatten().tolist() == pytest.approx([0.5 * -0.625, 0.5 * -0.125])
    assert loss_B[1] < -10


@pytest.mark.parametrize("flips", [0.0, 0.1, 0.4])
def test_loss_is_trls(tmp_path: Path, flips: float) -> None:
    loss = partial(rdpo.loss, rdpo.Config(0.3, flips))
    trl_pairs.assert_same(tmp_path, loss, ["robust"], beta=0.3, label_smoothing=flips)
