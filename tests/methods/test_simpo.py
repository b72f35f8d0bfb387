from types import SimpleNamespace

import pytest
import torch
from trl.experimental.cpo import CPOTrainer

from overopt.methods.math.responses import mean_log_likelihood
from overopt.methods.pairs import simpo

from . import pairs, three_responses


@pytest.mark.parametrize(("gamma", "expected"), [(1.0, 0.6931), (0.5, 0.4741)])
def test_loss_by_hand(gamma: float, expected: float) -> None:
    """-3.0 / 3 and -3.0 / 2: 2 * .5 - gamma."""
    loss = simpo.loss(simpo.Config(beta=2.0, gamma=gamma), three_responses.pair()).item()
    assert loss == pytest.approx(expected, abs=5e-5)


def test_the_reference_has_no_part_in_it() -> None:
    batch = three_responses.pair()
    moved = batch._replace(chosen=batch.chosen._replace(reference_logp=batch.chosen.mask))
    assert torch.equal(simpo.loss(simpo.Config(), batch), simpo.loss(simpo.Config(), moved))


def test_repeating_every_token_changes_nothing() -> None:
    batch = pairs.worked()
    doubled = simpo.loss(simpo.Config(), pairs.doubled(batch))
    assert torch.allclose(simpo.loss(simpo.Config(), batch), doubled)


@pytest.mark.parametrize(("beta", "gamma"), [(2.0, 0.5), (10.0, 3.0)])
def test_loss_is_trls(beta: float, gamma: float) -> None:
    """TRL's function on the means of the same pairs; it is handed the trainer for settings only."""
    batch = pairs.random(torch.Generator().manual_seed(0))
    means = [mean_log_likelihood(side) for side in (batch.chosen, batch.rejected)]
    settings = SimpleNamespace(
        alpha=0.0,
        beta=beta,
        simpo_gamma=gamma,
        loss_type="simpo",
        label_smoothing=0.0,
        accelerator=SimpleNamespace(device="cpu"),
    )
    theirs, *_ = CPOTrainer.cpo_loss(settings, *means)
    ours = simpo.loss(simpo.Config(beta, gamma), batch)
    assert torch.allclose(ours, theirs, atol=1e-9)
    (our_BT,) = torch.autograd.grad(ours.sum(), batch.chosen.policy_logp, retain_graph=True)
    (their_BT,) = torch.autograd.grad(theirs.sum(), batch.chosen.policy_logp)
    assert torch.allclose(our_BT, their_BT, atol=1e-9)
