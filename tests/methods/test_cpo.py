from functools import partial
from types import SimpleNamespace

import pytest
import torch
from trl.experimental.cpo import CPOTrainer

from overopt.methods.math.responses import log_likelihood
from overopt.methods.pairs import cpo, dpo

from . import pairs, three_responses


@pytest.mark.parametrize(("alpha", "expected"), [(1.0, 1.6931), (0.0, 0.6931)])
def test_loss_by_hand(alpha: float, expected: float) -> None:
    """Both sums are -3: log 2, and 3.0 nats over 3 tokens."""
    loss = cpo.loss(cpo.Config(beta=0.5, alpha=alpha), three_responses.pair()).item()
    assert loss == pytest.approx(expected, abs=5e-5)


def test_a_flat_reference_makes_it_dpo() -> None:
    batch = three_responses.pair(rejected=(-4.0, -1.0))
    flat = [
        side._replace(reference_logp=-side.mask / side.mask.sum()) for side in batch[:2] if side
    ]
    ours = cpo.loss(cpo.Config(beta=0.7, alpha=0.0), batch)
    assert torch.allclose(ours, dpo.loss(dpo.Config(beta=0.7), batch.of(flat)))


def test_optimum_forgets_the_reference() -> None:
    """exp(R / beta) / Z."""
    found = three_responses.optimum(partial(cpo.loss, cpo.Config(beta=1.0, alpha=0.0)))
    assert found == pytest.approx(torch.softmax(three_responses.REWARD_R, -1).tolist(), abs=1e-5)


def test_loss_is_trls() -> None:
    """TRL's function on the sums of the same pairs; it is handed the trainer for settings only."""
    batch = pairs.random(torch.Generator().manual_seed(0))
    sums = [log_likelihood(side) for side in (batch.chosen, batch.rejected)]
    settings = SimpleNamespace(
        alpha=0.0,
        beta=0.3,
        loss_type="sigmoid",
        label_smoothing=0.0,
        accelerator=SimpleNamespace(device="cpu"),
    )
    theirs, *_ = CPOTrainer.cpo_loss(settings, *sums)
    ours = cpo.loss(cpo.Config(beta=0.3, alpha=0.0), batch)
    assert torch.allclose(ours, theirs, atol=1e-9)
