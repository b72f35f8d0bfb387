from types import SimpleNamespace

import pytest
import torch
from trl.experimental.orpo import ORPOTrainer

from overopt.methods.math.responses import mean_log_likelihood
from overopt.methods.pairs import orpo

from . import pairs, three_responses


def test_loss_by_hand() -> None:
    """p -1 and -1.5: log-odds -.5413 and -1.2475, 1 - .1 log s(.7062) = 1.0401."""
    loss = orpo.loss(orpo.Config(weight=0.1), three_responses.pair()).item()
    assert loss == pytest.approx(1.0401, abs=5e-5)


def test_without_the_odds_it_is_sft_on_chosen_responses() -> None:
    loss = orpo.loss(orpo.Config(weight=0.0), three_responses.pair()).item()
    assert loss == pytest.approx(1.0)


def test_the_reference_has_no_part_in_it() -> None:
    batch = three_responses.pair()
    moved = batch._replace(chosen=batch.chosen._replace(reference_logp=batch.chosen.mask))
    assert torch.equal(orpo.loss(orpo.Config(), batch), orpo.loss(orpo.Config(), moved))


def test_a_certain_response_has_finite_odds() -> None:
    batch = three_responses.pair(chosen=(0.0, 0.0, 0.0))
    logp_BT = batch.chosen.policy_logp.requires_grad_()
    loss = orpo.loss(orpo.Config(), batch)
    (gradient_BT,) = torch.autograd.grad(loss.sum(), logp_BT)
    assert loss.isfinite().all()
    assert gradient_BT.isfinite().all()


@pytest.mark.parametrize("weight", [0.1, 1.0])
def test_odds_are_trls(weight: float) -> None:
    """TRL's function on the means of the same pairs, the likelihood term added by hand."""
    batch = pairs.random(torch.Generator().manual_seed(0))
    means = [mean_log_likelihood(side).float() for side in (batch.chosen, batch.rejected)]
    settings = SimpleNamespace(beta=weight, accelerator=SimpleNamespace(device="cpu"))
    theirs, *_ = ORPOTrainer.odds_ratio_loss(settings, *means)
    ours = orpo.loss(orpo.Config(weight), batch)
    assert torch.allclose(ours.float(), -means[0] - theirs, atol=1e-6)
