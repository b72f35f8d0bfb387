from functools import partial

import pytest
import torch

from overopt.methods.pairs import cdpo, dpo, rdpo

from . import three_responses


def test_loss_by_hand() -> None:
    """.9 * .4375 + .1 * 1.0375 = .4975."""
    (loss,) = cdpo.loss(cdpo.Config(beta=0.5, flips=0.1), three_responses.pair()).tolist()
    assert loss == pytest.approx(0.4975, abs=5e-5)


def test_without_flips_it_is_dpo() -> None:
    batch = three_responses.pair()
    ours = cdpo.loss(cdpo.Config(beta=0.7, flips=0.0), batch)
    assert torch.equal(ours, dpo.loss(dpo.Config(beta=0.7), batch))


def test_it_is_dpo_less_what_rdpo_corrects() -> None:
    """cdpo = 2 (1-e) dpo - (1-2e) rdpo."""
    batch = three_responses.of_margin(-3.0, 0.2, 1.7)
    expected = 1.8 * dpo.loss(dpo.Config(beta=0.5), batch)
    expected = expected - 0.8 * rdpo.loss(rdpo.Config(beta=0.5, flips=0.1), batch)
    assert torch.allclose(cdpo.loss(cdpo.Config(beta=0.5, flips=0.1), batch), expected)


@pytest.mark.parametrize(("flips", "margin"), [(0.1, 4.3944), (0.3, 1.6946), (0.5, 0.0)])
def test_margin_of_a_pair_whose_label_is_certain(flips: float, margin: float) -> None:
    """log((1-e)/e) / beta at beta .5."""
    loss = partial(cdpo.loss, cdpo.Config(beta=0.5, flips=flips))
    assert three_responses.best_margin(loss, 0.0) == pytest.approx(margin, abs=1e-4)


def test_noise_shrinks_margins_and_it_shrinks_them_further() -> None:
    """True margin 1, a tenth flipped: P = .9 s(1) + .1 s(-1) = .6848; the logit of P is .7761.

    Of .9 P + .1 (1 - P) = .6479 it is .6097.
    """
    wrong = 1 - (0.9 * torch.tensor(1.0).sigmoid() + 0.1 * torch.tensor(-1.0).sigmoid()).item()
    plain = three_responses.best_margin(partial(dpo.loss, dpo.Config(beta=1.0)), wrong)
    ours = three_responses.best_margin(partial(cdpo.loss, cdpo.Config(1.0, 0.1)), wrong)
    assert (plain, ours) == pytest.approx((0.7761, 0.6097), abs=5e-5)
