from __future__ import annotations

import pytest
import torch

from overopt.methods.contract.iterative import SamplePairs
from overopt.methods.contract.reading import Reading
from overopt.methods.contract.samples import Rollout
from overopt.methods.iterative import inpo
from tabular_optima import table

REFERENCE_R = torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64)
CYCLE_RR = torch.tensor([[0.5, 0.8, 0.2], [0.2, 0.5, 0.8], [0.8, 0.2, 0.5]], dtype=torch.float64)


def play(tau: float, eta: float, rounds: int) -> torch.Tensor:
    """Exact rounds on a cycle of preferences: which response wins depends on the opponent."""
    config = inpo.Config(tau=tau, eta_over_tau=eta / tau)
    start_R = REFERENCE_R.log()
    for _ in range(rounds):

        def expected_loss(logits_R: torch.Tensor, start_R: torch.Tensor = start_R) -> torch.Tensor:
            pairs = table.fresh_pairs(torch.log_softmax(logits_R, -1), start_R, REFERENCE_R.log())
            chance_P = torch.outer(start_R.exp(), start_R.exp()).flatten()
            return (chance_P * inpo.loss(config, table.labeled(pairs, CYCLE_RR))).sum()

        start_R = table.minimize(expected_loss, start_R)
    return start_R.exp()


def test_loss_by_hand() -> None:
    """Differences .5, .2 and .3 of log pi, log pi_ref, log pi_t; eta 1, tau 1/3:
    .5 - .2/3 - .3 (2/3) = .2333; (.2333 - .5)^2 = .0711."""
    mask, zero = torch.ones(1, 1), torch.zeros(1, 1)
    label = torch.ones(1)
    chosen = Reading(zero + 0.5, zero + 0.2, mask, sampled_logp=zero + 0.3, label=label)
    rejected = Reading(zero, zero, mask, sampled_logp=zero, label=label)
    config = inpo.Config(tau=1 / 3, eta_over_tau=3.0)
    (found,) = inpo.loss(config, SamplePairs(chosen, rejected)).tolist()
    assert found == pytest.approx(0.0711, abs=5e-5)
    swapped = chosen._replace(label=1 - label), rejected._replace(label=1 - label)
    (other,) = inpo.loss(config, SamplePairs(*swapped)).tolist()
    assert other == pytest.approx((0.23333 + 0.5) ** 2, abs=1e-4)


def test_pairs_are_best_and_worst_with_the_chance_of_a_win() -> None:
    zero_BNT = torch.zeros(1, 3, 1)
    rollout = Rollout(torch.tensor([[0.0, 2.0, 1.0]]), Reading(zero_BNT, zero_BNT, zero_BNT + 1))
    for soft, label in ((False, 1.0), (True, 0.8807971)):
        built = inpo.build(inpo.Config(soft_labels=soft), rollout)
        assert built.label_P is not None
        assert (built.chosen_P.item(), built.rejected_P.item()) == (1, 0)
        assert built.label_P.item() == pytest.approx(label)


def test_a_round_is_the_mirror_step() -> None:
    """pi_ref^(1/3) pi_t^(2/3) exp(P pi_t / 1.5) / Z from pi_t = pi_ref."""
    expected_R = REFERENCE_R * torch.exp(CYCLE_RR @ REFERENCE_R / 1.5)
    found_R = play(0.5, 1.5, 1)
    assert torch.allclose(found_R, expected_R / expected_R.sum(), atol=1e-6)
    assert found_R.tolist() == pytest.approx([0.5097, 0.2823, 0.2080], abs=5e-5)


@pytest.mark.parametrize(
    ("tau", "nash"),
    [(0.5, [0.5097, 0.2559, 0.2344]), (1.0, [0.5100, 0.2751, 0.2150])],
)
def test_rounds_reach_the_regularized_nash_policy(tau: float, nash: list[float]) -> None:
    """pi_ref exp(P pi / tau) / Z: no response of a better penalized win rate is left."""
    found_R = play(tau, 3 * tau, 40)
    assert found_R.tolist() == pytest.approx(nash, abs=1e-4)
    again_R = REFERENCE_R * torch.exp(CYCLE_RR @ found_R / tau)
    assert torch.allclose(again_R / again_R.sum(), found_R, atol=1e-5)
