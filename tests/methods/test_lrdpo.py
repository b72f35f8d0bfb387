from functools import partial

import pytest
import torch

from overopt.methods.pairs import dpo, lrdpo

from . import three_responses


def test_loss_by_hand() -> None:
    """3 tokens against 2: .5 * 1.2 + .1 * 1 = .7; a longer rejected one adds to the loss."""
    config = lrdpo.Config(beta=0.5, alpha=0.1)
    batch = three_responses.pair()
    assert lrdpo.loss(config, batch).item() == pytest.approx(0.4032, abs=5e-5)
    reversed_loss = lrdpo.loss(config, three_responses.flipped(batch)).item()
    assert reversed_loss == pytest.approx(0.4032 + 0.7, abs=5e-5)


@pytest.mark.parametrize("alpha", [0.0, 0.3])
def test_without_alpha_or_a_difference_in_length_it_is_dpo(alpha: float) -> None:
    batch = three_responses.of_margin(1.7, -0.3) if alpha else three_responses.pair()
    ours = lrdpo.loss(lrdpo.Config(beta=0.7, alpha=alpha), batch)
    assert torch.equal(ours, dpo.loss(dpo.Config(beta=0.7), batch))


@pytest.mark.parametrize(
    ("beta", "expected"),
    [(1.0, (0.3250, 0.3215, 0.3534)), (0.5, (0.1790, 0.2919, 0.5291))],
)
def test_optimum_is_that_of_the_reward_less_length(
    beta: float, expected: tuple[float, float, float]
) -> None:
    """Lengths 1, 2, 3: pi_ref exp((R - alpha |y|) / beta) / Z."""
    loss = partial(lrdpo.loss, lrdpo.Config(beta, 0.5))
    found = three_responses.optimum(loss, (1, 2, 3))
    reward_R = three_responses.REWARD_R - 0.5 * torch.tensor([1.0, 2.0, 3.0])
    tilted_R = torch.softmax(three_responses.LOG_REFERENCE_R + reward_R / beta, -1)
    assert found == pytest.approx(tilted_R.tolist(), abs=1e-5)
    assert found == pytest.approx(expected, abs=1e-4)
