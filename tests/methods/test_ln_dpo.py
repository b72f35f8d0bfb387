from functools import partial
from pathlib import Path

import pytest
import torch

from overopt.methods.pairs import dpo, ln_dpo

from . import pairs, three_responses, trl_pairs


def test_loss_by_hand() -> None:
    """5 * (.4 / 3 + .8 / 2) = 2.6667."""
    loss = ln_dpo.loss(ln_dpo.Config(beta=5.0), three_responses.pair()).item()
    assert loss == pytest.approx(0.0672, abs=5e-5)


def test_repeating_every_token_changes_nothing() -> None:
    batch = pairs.worked()
    doubled = ln_dpo.loss(ln_dpo.Config(), pairs.doubled(batch))
    assert torch.allclose(ln_dpo.loss(ln_dpo.Config(), batch), doubled)


def test_on_one_length_it_is_dpo_of_a_smaller_beta() -> None:
    batch = pairs.random(torch.Generator().manual_seed(0), tokens=4)
    theirs = dpo.loss(dpo.Config(beta=0.5), batch)
    assert torch.allclose(ln_dpo.loss(ln_dpo.Config(beta=2.0), batch), theirs)


def test_optimum_on_one_length() -> None:
    """Two tokens each and beta 1: pi_ref exp(2 R) / Z, dpo's at beta 1/2."""
    loss = partial(ln_dpo.loss, ln_dpo.Config(beta=1.0))
    found = three_responses.optimum(loss, (2, 2, 2))
    tilted_R = torch.softmax(three_responses.LOG_REFERENCE_R + 2 * three_responses.REWARD_R, -1)
    assert found == pytest.approx(tilted_R.tolist(), abs=1e-5)


@pytest.mark.parametrize("beta", [0.5, 5.0])
def test_loss_is_trls(tmp_path: Path, beta: float) -> None:
    loss = partial(ln_dpo.loss, ln_dpo.Config(beta))
    trl_pairs.assert_same(tmp_path, loss, ["sigmoid_norm"], beta=beta)
