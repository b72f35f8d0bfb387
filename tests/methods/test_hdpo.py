from functools import partial

import pytest
import torch

from overopt.methods.pairs import dpo, hdpo

from . import three_responses


@pytest.mark.parametrize(("alpha", "expected"), [(0.8, 0.3133), (1.0, 0.2873)])
def test_loss_by_hand(alpha: float, expected: float) -> None:
    """log pi -3 and -4, pi_ref -3.4 and -2.2: .8 * .5 * 1 + .5 * 1.2 = 1.0; 1.1 at alpha 1."""
    batch = three_responses.pair(rejected=(-3.0, -1.0))
    (loss,) = hdpo.loss(hdpo.Config(beta=0.5, alpha=alpha), batch).tolist()
    assert loss == pytest.approx(expected, abs=5e-5)


def test_alpha_one_is_dpo() -> None:
    batch = three_responses.pair(rejected=(-3.0, -1.0))
    ours = hdpo.loss(hdpo.Config(beta=0.7, alpha=1.0), batch)
    assert torch.allclose(ours, dpo.loss(dpo.Config(beta=0.7), batch))


@pytest.mark.parametrize(
    ("beta", "expected"),
    [(1.0, (0.1488, 0.2743, 0.5768)), (0.5, (0.0183, 0.1177, 0.8640))],
)
def test_optimum_is_the_closed_form(beta: float, expected: tuple[float, float, float]) -> None:
    """pi_ref^(1/alpha) exp(R / (alpha beta)) / Z."""
    found = three_responses.optimum(partial(hdpo.loss, hdpo.Config(beta, 0.8)))
    logit_R = (three_responses.LOG_REFERENCE_R + three_responses.REWARD_R / beta) / 0.8
    assert found == pytest.approx(torch.softmax(logit_R, -1).tolist(), abs=1e-5)
    assert found == pytest.approx(expected, abs=1e-4)


def test_a_large_beta_sharpens_the_reference_and_does_not_keep_it() -> None:
    found = three_responses.optimum(partial(hdpo.loss, hdpo.Config(beta=200.0, alpha=0.8)))
    sharp_R = torch.softmax(three_responses.LOG_REFERENCE_R / 0.8, -1)
    assert found == pytest.approx(sharp_R.tolist(), abs=5e-3)
    assert found[0] > 0.53
