from functools import partial

import pytest
import torch
from scipy.special import lambertw

from overopt.methods.pairs import chipo, dpo

from . import three_responses


@pytest.mark.parametrize(
    ("power", "log_weight", "bound", "expected"),
    [(1.0, 1.0, 1.0, 0.2821), (1.0, 1.0, 0.25, 0.4741), (0.25, 0.1, 1.0, 0.5967)],
)
def test_losses_by_hand(power: float, log_weight: float, bound: float, expected: float) -> None:
    """phi(e^.4) - phi(e^-.8) = 1.8918 + .3507 = 2.2425, half of it 1.1212, or clipped at .5.

    exp(.1) - exp(-.2) + .1 * 1.2 = .4064, half of it .2032.
    """
    config = chipo.Config(0.5, power, log_weight, bound)
    assert chipo.loss(config, three_responses.pair()).item() == pytest.approx(expected, abs=5e-5)


def test_there_is_no_gradient_beyond_the_clip_on_either_side() -> None:
    batch = three_responses.of_margin(-9.0, 0.5, 9.0)
    chosen_B1 = batch.chosen.policy_logp.requires_grad_()
    loss_B = chipo.loss(chipo.Config(beta=1.0, bound=1.0), batch)
    (gradient_B1,) = torch.autograd.grad(loss_B.sum(), chosen_B1)
    low, inside, high = gradient_B1.flatten().tolist()
    assert (low, high) == (0.0, 0.0)
    assert inside < -0.1
    ends = [-torch.tensor(logit).sigmoid().log().item() for logit in (-2.0, 2.0)]
    assert loss_B[[0, 2]].tolist() == pytest.approx(ends)


def test_a_ratio_too_large_for_a_float_stays_finite() -> None:
    batch = three_responses.of_margin(-500.0, 500.0)
    batch = batch._replace(chosen=batch.chosen.map(torch.Tensor.float))
    chosen_B1 = batch.chosen.policy_logp.requires_grad_()
    loss_B = chipo.loss(chipo.Config(), batch)
    (gradient_B1,) = torch.autograd.grad(loss_B.sum(), chosen_B1)
    assert loss_B.isfinite().all()
    assert gradient_B1.isfinite().all()


def test_a_flat_power_is_dpo() -> None:
    batch = three_responses.of_margin(-2.0, 0.3)
    ours = chipo.loss(chipo.Config(beta=0.7, power=1e-9), batch)
    assert torch.allclose(ours, dpo.loss(dpo.Config(beta=0.7), batch))


@pytest.mark.parametrize(
    ("beta", "constant", "expected"),
    [(1.0, -0.2248, (0.3261, 0.3346, 0.3393)), (0.5, 0.3559, (0.1735, 0.3447, 0.4818))],
)
def test_optimum_is_the_closed_form(
    beta: float, constant: float, expected: tuple[float, float, float]
) -> None:
    """pi_ref W0(exp((R - Z) / beta)), which sums to 1."""
    reference_R, reward_R = three_responses.LOG_REFERENCE_R.exp(), three_responses.REWARD_R
    argument_R = ((reward_R - constant) / beta).exp().tolist()
    ratio_R = torch.tensor([lambertw(argument).real for argument in argument_R])
    assert (reference_R * ratio_R).sum().item() == pytest.approx(1.0, abs=1e-4)
    found = three_responses.optimum(partial(chipo.loss, chipo.Config(beta=beta)))
    assert found == pytest.approx((reference_R * ratio_R).tolist(), abs=1e-4)
    assert found == pytest.approx(expected, abs=1e-4)
