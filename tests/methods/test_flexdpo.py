import pytest
import torch

from overopt.methods.pairs import dpo, flexdpo

from . import three_responses


@pytest.mark.parametrize(("likelihood", "expected"), [(0.0, 0.4666), (0.1, 0.7666)])
def test_loss_by_hand(likelihood: float, expected: float) -> None:
    """.5 * .4 + .4 * .8 = .52; the chosen response's log-likelihood is -3."""
    config = flexdpo.Config(beta=0.5, rejected=0.8, likelihood=likelihood)
    loss = flexdpo.loss(config, three_responses.pair()).item()
    assert loss == pytest.approx(expected, abs=5e-5)


def test_equal_betas_are_dpo() -> None:
    batch = three_responses.of_margin(1.7, -0.3)
    ours = flexdpo.loss(flexdpo.Config(beta=0.7, rejected=1.0), batch)
    assert torch.equal(ours, dpo.loss(dpo.Config(beta=0.7), batch))


def test_without_beta_minus_rejected_responses_are_left_alone() -> None:
    batch = three_responses.pair()
    moved = three_responses.pair(rejected=(-9.0, -9.0))
    config = flexdpo.Config(beta=0.5, rejected=0.0)
    expected = -torch.tensor(0.5 * 0.4).sigmoid().log().item()
    assert flexdpo.loss(config, batch).item() == pytest.approx(expected)
    assert torch.equal(flexdpo.loss(config, batch), flexdpo.loss(config, moved))


def test_a_smaller_beta_minus_slows_the_fall_of_rejected_responses() -> None:
    """At the start a token's gradient is beta c / 2 on the rejected side, beta / 2 on the other."""
    batch = three_responses.at_the_start(three_responses.pair())
    sides = [side.policy_logp.requires_grad_() for side in (batch.chosen, batch.rejected)]
    loss = flexdpo.loss(flexdpo.Config(beta=0.5, rejected=0.4), batch)
    chosen_BT, rejected_BT = torch.autograd.grad(loss.sum(), sides)
    assert chosen_BT[0, 0].item() == pytest.approx(-0.25)
    assert rejected_BT[0, 0].item() == pytest.approx(0.1)
