from functools import partial

import pytest
import torch
from trl.trainer.callbacks import SyncRefModelCallback

from overopt.methods.pairs import dpo, tr_dpo
from overopt.models.weights import weights_of
from tabular_optima import table

from . import pairs, stock, three_responses


def test_loss_by_hand() -> None:
    """Before any update it is dpo's; with an anchor, log pi(w) -3 over -2 and log pi(l) -3 over -3.

    -log s(.5 * (-1 - 0)) = .9741.
    """
    batch, config = three_responses.pair(), tr_dpo.Config(beta=0.5)
    assert torch.equal(tr_dpo.loss(config, batch), dpo.loss(dpo.Config(beta=0.5), batch))
    chosen = batch.chosen._replace(anchor_logp=-2 / 3 * batch.chosen.mask)
    rejected = batch.rejected._replace(anchor_logp=-1.5 * batch.rejected.mask)
    loss = tr_dpo.loss(config, batch._replace(chosen=chosen, rejected=rejected)).item()
    assert loss == pytest.approx(0.9741, abs=5e-5)


def test_without_updates_it_is_dpo() -> None:
    batch = pairs.random(torch.Generator().manual_seed(0))
    theirs = dpo.loss(dpo.Config(beta=0.3), batch)
    assert torch.equal(tr_dpo.loss(tr_dpo.Config(beta=0.3), batch), theirs)


@pytest.mark.parametrize("alpha", [0.6, 1.0])
def test_the_anchor_moves_as_trls_reference(alpha: float) -> None:
    """Two updates, two steps apart; between them nothing moves."""
    config = tr_dpo.Config(alpha=alpha, sync_steps=2)
    theirs = stock.policy(0)
    memory = tr_dpo.begin(config, weights_of(stock.policy(0)))
    for step in (1, 2, 3, 4):
        policy = stock.policy(step)
        done = tr_dpo.after_step(config, memory, weights_of(policy), step)
        assert (done.anchor is None) == (step % 2 == 1)
        assert done.weights is None
        memory = done.memory
        if step % 2 == 0:
            SyncRefModelCallback._sync_target_model(policy, theirs, alpha)
        for name, weight in weights_of(theirs).items():
            assert torch.allclose(memory[name], weight, atol=1e-6)


def test_every_hard_update_multiplies_the_optimum_by_the_same_tilt() -> None:
    """pi_ref exp(k R / beta) / Z after k rounds, each run to its end."""
    anchor_R = table.REFERENCE_LOGP_R
    config = tr_dpo.Config(beta=2.0)

    def expected_loss(logits_R: torch.Tensor, anchor_R: torch.Tensor) -> torch.Tensor:
        batch, chance_P = table.all_pairs(logits_R)
        rows = torch.cartesian_prod(torch.arange(len(anchor_R)), torch.arange(len(anchor_R)))
        chosen = batch.chosen._replace(anchor_logp=anchor_R[rows[:, :1]])
        rejected = batch.rejected._replace(anchor_logp=anchor_R[rows[:, 1:]])
        loss_P = tr_dpo.loss(config, batch._replace(chosen=chosen, rejected=rejected))
        return (chance_P * loss_P).sum()

    for rounds in (1, 2, 3):
        anchor_R = table.minimize(partial(expected_loss, anchor_R=anchor_R), anchor_R)
        assert torch.allclose(anchor_R, table.tilted(2.0 / rounds), atol=1e-5)
