from functools import partial
from pathlib import Path

import pytest
import torch

from overopt.methods.pairs import dpo, dpo_sft, rpo

from . import three_responses, trl_pairs


def test_loss_by_hand() -> None:
    """.4375, and 3.0 nats over 3 tokens."""
    loss = dpo_sft.loss(dpo_sft.Config(beta=0.5, alpha=1.0), three_responses.pair()).item()
    assert loss == pytest.approx(1.4375, abs=5e-5)


def test_without_likelihood_it_is_dpo() -> None:
    batch = three_responses.pair()
    ours = dpo_sft.loss(dpo_sft.Config(beta=0.7, alpha=0.0), batch)
    assert torch.equal(ours, dpo.loss(dpo.Config(beta=0.7), batch))


def test_optimum_lies_between_the_tilt_and_the_chosen_responses() -> None:
    """rpo's at eta 1 and beta 1/2, whose weight beta eta is 1/2."""
    found = three_responses.optimum(partial(dpo_sft.loss, dpo_sft.Config(0.5, 0.5)))
    assert found == pytest.approx((0.1170, 0.3904, 0.4926), abs=1e-4)
    theirs = three_responses.optimum(partial(rpo.loss, rpo.Config(0.5, 1.0)))
    assert found == pytest.approx(theirs, abs=1e-6)


@pytest.mark.parametrize("alpha", [0.3, 1.0])
def test_loss_is_trls(tmp_path: Path, alpha: float) -> None:
    loss = partial(dpo_sft.loss, dpo_sft.Config(0.3, alpha))
    rows, weights = trl_pairs.CHOSEN_OF_THREE, [1.0, alpha]
    trl_pairs.assert_same(tmp_path, loss, ["sigmoid", "sft"], rows, beta=0.3, loss_weights=weights)
