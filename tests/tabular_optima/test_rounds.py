"""Filtering and likelihood: a round's optimum is a mixture of best-of-n and the initial policy."""

from __future__ import annotations

import pytest
import torch

from overopt.methods.contract.reading import Reading
from overopt.methods.contract.samples import Rollout
from overopt.methods.iterative import superhf

from . import table


def best_of_two() -> torch.Tensor:
    """Probability that each response is kept, over all ordered pairs of reference samples."""
    drawn_BN = torch.cartesian_prod(*[torch.arange(table.RESPONSES)] * 2)
    zero_BNT = torch.zeros(*drawn_BN.shape, 1)
    seen = Rollout(table.REWARD_R[drawn_BN], Reading(zero_BNT, zero_BNT, zero_BNT + 1))
    kept_B = drawn_BN.flatten()[superhf.build(superhf.Config(), seen).row_K]
    probability_B = table.REFERENCE_R[drawn_BN].prod(-1)
    start_R = torch.zeros(table.RESPONSES, dtype=torch.float64)
    return start_R.index_add(0, kept_B, probability_B)


def test_what_is_kept_is_best_of_two() -> None:
    """P(best = y) = F(y)^2 - F(below y)^2, F the distribution of the reward."""
    order = table.REWARD_R.argsort()
    cumulative = table.REFERENCE_R[order].cumsum(0)
    expected = cumulative**2 - torch.cat([torch.zeros(1), cumulative[:-1]]) ** 2
    assert torch.allclose(best_of_two()[order], expected, atol=1e-12)


@pytest.mark.parametrize("kl_weight", [0.1, 1.0])
def test_a_round_of_superhf_learns_the_mixture(kl_weight: float) -> None:
    """argmin -sum q log pi + c KL(pi_ref || pi) = (q + c pi_ref) / (1 + c)."""
    kept_R = best_of_two()
    config = superhf.Config(kl_weight=kl_weight)

    def expected_loss(logits_R: torch.Tensor) -> torch.Tensor:
        logp_R = torch.log_softmax(logits_R, -1)
        kl = (table.REFERENCE_R * (table.REFERENCE_LOGP_R - logp_R)).sum()
        one_R1 = torch.ones(table.RESPONSES, 1, dtype=torch.float64)
        batch = Reading(
            logp_R[:, None], table.REFERENCE_LOGP_R[:, None], one_R1, kl.expand_as(one_R1)
        )
        return (kept_R * superhf.loss(config, batch)).sum()

    mixture_R = (kept_R + kl_weight * table.REFERENCE_R) / (1 + kl_weight)
    assert torch.allclose(table.minimize(expected_loss).exp(), mixture_R, atol=1e-6)
