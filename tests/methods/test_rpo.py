from functools import partial
from pathlib import Path

import pytest
import torch

from overopt.methods.pairs import dpo, rpo

from . import three_responses, trl_pairs


@pytest.mark.parametrize(
    ("eta", "averaged", "expected"),
    [(0.005, False, 0.4450), (0.2, False, 0.7375), (0.2, True, 0.6375)],
)
def test_losses_by_hand(eta: float, averaged: bool, expected: float) -> None:
    """.4375 + .5 * eta * 3.0 summed; .4375 + eta * 1.0 averaged over the three tokens."""
    config = rpo.Config(beta=0.5, eta=eta, averaged=averaged)
    assert rpo.loss(config, three_responses.pair()).item() == pytest.approx(expected, abs=5e-5)


def test_without_likelihood_it_is_dpo() -> None:
    batch = three_responses.pair()
    ours = rpo.loss(rpo.Config(beta=0.7, eta=0.0), batch)
    assert torch.equal(ours, dpo.loss(dpo.Config(beta=0.7), batch))


@pytest.mark.parametrize(
    ("eta", "expected"),
    [
        (0.0, (0.0367, 0.1626, 0.8008)),
        (0.005, (0.0381, 0.1695, 0.7924)),
        (0.2, (0.0716, 0.3130, 0.6154)),
        (1.0, (0.1170, 0.3904, 0.4926)),
    ],
)
def test_optimum_moves_to_the_chosen_responses(
    eta: float, expected: tuple[float, float, float]
) -> None:
    loss = partial(rpo.loss, rpo.Config(beta=0.5, eta=eta))
    assert three_responses.optimum(loss) == pytest.approx(expected, abs=1e-4)


def test_much_likelihood_is_their_law() -> None:
    """A response's share of the chosen ones: ref_i sum_j ref_j s(R_i - R_j), j unlike i."""
    reference_R, reward_R = three_responses.LOG_REFERENCE_R.exp(), three_responses.REWARD_R
    wins_RR = torch.sigmoid(reward_R[:, None] - reward_R) * (1 - torch.eye(3))
    chosen_R = reference_R * (wins_RR @ reference_R)
    loss = partial(rpo.loss, rpo.Config(beta=0.5, eta=1e4))
    law = (chosen_R / chosen_R.sum()).tolist()
    assert three_responses.optimum(loss) == pytest.approx(law, abs=1e-3)


def test_averaged_loss_is_trls(tmp_path: Path) -> None:
    loss = partial(rpo.loss, rpo.Config(beta=0.3, eta=0.2, averaged=True))
    rows, weights = trl_pairs.CHOSEN_OF_THREE, [1.0, 0.2]
    trl_pairs.assert_same(tmp_path, loss, ["sigmoid", "sft"], rows, beta=0.3, loss_weights=weights)
