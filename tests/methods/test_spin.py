from __future__ import annotations

import pytest
import torch
from torch import Tensor

from overopt.methods.contract.iterative import SamplePairs
from overopt.methods.iterative import spin

from . import fresh
from .three_responses import LOG_REFERENCE_R

START_R = torch.tensor([0.2, 0.3, 0.5], dtype=torch.float64).log()


def round_of(strength: float, data_R: Tensor, start_R: Tensor) -> Tensor:
    """An exact round: y of the data and y' of the policy at the start, all pairs of them."""
    first_P, second_P = torch.cartesian_prod(torch.arange(3), torch.arange(3)).T
    chance_P = (data_R[first_P] + start_R[second_P]).exp()
    config = spin.Config(strength=strength)

    def loss(logp_R: Tensor) -> Tensor:
        sides = (
            fresh.read(logp_R, row_P)._replace(sampled_logp=start_R[row_P, None])
            for row_P in (first_P, second_P)
        )
        return (chance_P * spin.loss(config, SamplePairs(*sides))).sum()

    return fresh.learned(loss, start_R)


def test_losses_by_hand() -> None:
    """A difference of .6: log(1 + e^-.6) = .4375, log(1 + e^-.06) = .6636, 1 - .6."""
    pair = fresh.sides((9.0, 0.4), (-9.0, -0.2))
    assert spin.loss(spin.Config(strength=1.0), pair).item() == pytest.approx(0.4375, abs=5e-5)
    assert spin.loss(spin.Config(strength=0.1), pair).item() == pytest.approx(0.6636, abs=5e-5)
    hinge = spin.Config(strength=1.0, loss_function="hinge")
    assert spin.loss(hinge, pair).item() == pytest.approx(0.4)
    assert spin.loss(hinge, fresh.sides((0.0, 2.0), (0.0, 0.0))).item() == 0.0


@pytest.mark.parametrize(
    ("strength", "expected"),
    [
        (1.0, [0.5, 0.3, 0.2]),
        (2.0, [0.3391, 0.3217, 0.3391]),
        (0.5, [0.7669, 0.1840, 0.0491]),
    ],
)
def test_a_round_is_that_of_theorem_5_4(strength: float, expected: list[float]) -> None:
    found_R = round_of(strength, LOG_REFERENCE_R, START_R)
    assert found_R.exp().tolist() == pytest.approx(expected, abs=5e-5)
    exact_R = torch.log_softmax(START_R + (LOG_REFERENCE_R - START_R) / strength, -1)
    assert torch.allclose(found_R, exact_R, atol=1e-5)


@pytest.mark.parametrize("strength", [0.1, 1.0])
def test_nothing_moves_where_the_policy_already_is_the_data(strength: float) -> None:
    found_R = round_of(strength, LOG_REFERENCE_R, LOG_REFERENCE_R)
    assert torch.allclose(found_R, LOG_REFERENCE_R, atol=1e-7)


def test_each_text_is_set_against_all_samples_of_its_prompt() -> None:
    seen = fresh.rollout([[0.0, 1.0, 2.0], [0.0, 1.0, 2.0]])
    seen = seen._replace(demonstrations=fresh.rollout([[5.0], [5.0]]))
    built = spin.build(spin.Config(), seen)
    assert built.chosen_P.tolist() == [6, 6, 6, 7, 7, 7]
    assert built.rejected_P.tolist() == list(range(6))
