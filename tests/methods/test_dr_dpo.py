import pytest
import torch

from overopt.methods.pairs import dpo, dr_dpo

from . import pairs, three_responses


def test_loss_by_hand() -> None:
    """l .4375 and .2873 (logits .6 and 1.1): -log((e^-.4375 + e^-.2873) / 2) = .3596."""
    batch = three_responses.of_margin(1.2, 2.2)
    loss_B = dr_dpo.loss(dr_dpo.Config(beta=0.5, trust=1.0), batch)
    assert loss_B.tolist() == pytest.approx([0.3596, 0.3596], abs=5e-5)


def test_a_large_trust_is_dpo() -> None:
    batch = three_responses.of_margin(-3.0, 0.5, 4.0)
    theirs = dpo.loss(dpo.Config(beta=0.7), batch).mean()
    ours = dr_dpo.loss(dr_dpo.Config(beta=0.7, trust=1e5), batch).mean()
    assert ours.item() == pytest.approx(theirs.item(), abs=1e-4)


def test_one_pair_is_dpo() -> None:
    batch = three_responses.pair()
    theirs = dpo.loss(dpo.Config(beta=0.7), batch)
    assert torch.allclose(dr_dpo.loss(dr_dpo.Config(beta=0.7), batch), theirs)


def test_a_pairs_gradient_is_its_own_by_its_share() -> None:
    """Shares s(beta h) / sum of s(beta h) at trust 1."""
    batch = three_responses.of_margin(-3.0, 0.5, 4.0)
    logp_B1 = batch.chosen.policy_logp.requires_grad_()
    plain_B = dpo.loss(dpo.Config(beta=0.7), batch)
    (plain_B1,) = torch.autograd.grad(plain_B.sum(), logp_B1, retain_graph=True)
    robust_B = dr_dpo.loss(dr_dpo.Config(beta=0.7, trust=1.0), batch)
    (robust_B1,) = torch.autograd.grad(robust_B.mean(), logp_B1)
    share_B = torch.softmax(-plain_B.detach(), 0)
    assert torch.allclose(robust_B1, plain_B1 * share_B[:, None])
    assert share_B[0] < share_B[1] < share_B[2]


def test_far_apart_losses_do_not_overflow() -> None:
    batch = three_responses.of_margin(-3e4, 2.0)
    loss_B = dr_dpo.loss(dr_dpo.Config(beta=1.0, trust=1e-3), batch)
    assert loss_B.isfinite().all()


def test_gradient_by_finite_differences() -> None:
    batch = pairs.random(torch.Generator().manual_seed(0))

    def loss(chosen: torch.Tensor, rejected: torch.Tensor) -> torch.Tensor:
        return dr_dpo.loss(dr_dpo.Config(beta=0.7), pairs.moved(batch, chosen, rejected))

    assert torch.autograd.gradcheck(loss, (batch.chosen.policy_logp, batch.rejected.policy_logp))
