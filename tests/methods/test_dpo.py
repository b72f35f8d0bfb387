import pytest
import torch

from overopt.methods.contract.pairs import PairBatch
from overopt.methods.pairs import dpo

from . import pairs


def test_loss_by_hand() -> None:
    # margins 2 and -1; -log sigmoid(1) = 0.3132617, -log sigmoid(-0.5) = 0.9740770
    loss_B = dpo.loss(dpo.Config(beta=0.5), pairs.worked())
    assert loss_B.tolist() == pytest.approx([0.3132617, 0.9740770], abs=1e-6)


def test_loss_at_the_start_is_log_two() -> None:
    batch = pairs.worked()
    start = PairBatch.of(side._replace(policy_logp=side.reference_logp) for side in batch[:2])
    assert dpo.loss(dpo.Config(), start).tolist() == pytest.approx([0.6931472] * 2, abs=1e-6)


def test_gradient_by_finite_differences() -> None:
    batch = pairs.random(torch.Generator().manual_seed(0))

    def loss(chosen: torch.Tensor, rejected: torch.Tensor) -> torch.Tensor:
        moved = pairs.moved(batch, chosen, rejected)
        return dpo.loss(dpo.Config(beta=0.7), moved)

    assert torch.autograd.gradcheck(loss, (batch.chosen.policy_logp, batch.rejected.policy_logp))


def test_gradient_by_hand() -> None:
    # d/dr_w of -log sigmoid(beta m) = -beta sigmoid(-beta m); beta m = 1: -0.5 * 0.2689414
    batch = pairs.worked()
    chosen_BT = batch.chosen.policy_logp.requires_grad_()
    loss_B = dpo.loss(dpo.Config(beta=0.5), batch)
    (gradient_BT,) = torch.autograd.grad(loss_B[0], chosen_BT)
    assert gradient_BT[0].tolist() == pytest.approx([-0.1344707] * 2, abs=1e-6)
    assert gradient_BT[1].tolist() == [0.0, 0.0]
