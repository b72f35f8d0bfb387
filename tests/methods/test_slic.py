from functools import partial
from pathlib import Path

import pytest
import torch

from overopt.methods.pairs import slic

from . import three_responses, trl_pairs


def test_losses_by_hand() -> None:
    """1 - .5 * 1.2 = .4; 1 + 3 - 3 + .1 * 3 = 1.3."""
    assert slic.loss(slic.Config(beta=0.5), three_responses.pair()).item() == pytest.approx(0.4)
    calibrated = slic.Config(form="slic-hf", margin=1.0, likelihood=0.1)
    assert slic.loss(calibrated, three_responses.pair()).item() == pytest.approx(1.3)


def test_nothing_is_left_to_learn_beyond_the_margin() -> None:
    """The margin is 1 / beta = 2 nats; the gradient before it is -beta."""
    batch = three_responses.of_margin(1.5, 2.5)
    chosen_B1 = batch.chosen.policy_logp.requires_grad_()
    loss_B = slic.loss(slic.Config(beta=0.5), batch)
    assert loss_B.tolist() == [0.25, 0.0]
    (gradient_B1,) = torch.autograd.grad(loss_B.sum(), chosen_B1)
    assert gradient_B1.flatten().tolist() == [-0.5, 0.0]


def test_slic_hf_beyond_the_margin_is_likelihood_alone() -> None:
    batch = three_responses.pair(rejected=(-4.0, -1.0))
    (loss,) = slic.loss(slic.Config(form="slic-hf", likelihood=0.1), batch).tolist()
    assert loss == pytest.approx(0.3)


@pytest.mark.parametrize("beta", [0.1, 0.7])
def test_the_hinge_is_trls(tmp_path: Path, beta: float) -> None:
    trl_pairs.assert_same(tmp_path, partial(slic.loss, slic.Config(beta)), ["hinge"], beta=beta)
