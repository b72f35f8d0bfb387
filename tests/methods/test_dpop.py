import pytest
import torch

from overopt.methods.pairs import dpo, dpop

from . import three_responses


@pytest.mark.parametrize(
    ("chosen", "rejected", "expected"),
    [((-1.0, -0.5, -1.5), (-2.0, -1.0), 0.4375), ((-1.6, -0.5, -1.5), (-2.6, -1.0), 0.6444)],
)
def test_loss_by_hand(
    chosen: tuple[float, ...], rejected: tuple[float, ...], expected: float
) -> None:
    """r_w .4 has no penalty; r_w -.2 and r_l -1.4: .5 * (1.2 - 5 * .2) = .1."""
    batch = three_responses.pair(chosen, rejected)
    loss = dpop.loss(dpop.Config(beta=0.5, penalty=5.0), batch).item()
    assert loss == pytest.approx(expected, abs=5e-5)


def test_without_a_penalty_it_is_dpo() -> None:
    batch = three_responses.pair((-1.6, -0.5, -1.5), (-2.6, -1.0))
    ours = dpop.loss(dpop.Config(beta=0.7, penalty=0.0), batch)
    assert torch.equal(ours, dpo.loss(dpo.Config(beta=0.7), batch))


def test_a_falling_chosen_response_is_pulled_up_harder_than_the_rejected_one_is_pushed() -> None:
    """lambda + 1 times; above pi_ref as hard."""
    for chosen, ratio in (((-1.6, -0.5, -1.5), 6.0), ((-1.0, -0.5, -1.5), 1.0)):
        batch = three_responses.pair(chosen)
        sides = [side.policy_logp.requires_grad_() for side in (batch.chosen, batch.rejected)]
        loss = dpop.loss(dpop.Config(beta=0.5, penalty=5.0), batch)
        chosen_BT, rejected_BT = torch.autograd.grad(loss.sum(), sides)
        assert (-chosen_BT[0, 0] / rejected_BT[0, 0]).item() == pytest.approx(ratio)
