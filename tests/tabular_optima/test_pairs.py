"""Losses on preference pairs with full support: their minima are known in closed form."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest
import torch

from overopt.methods.contract.pairs import PairBatch
from overopt.methods.iterative import online_dpo
from overopt.methods.pairs import dpo, ipo, mapo, sparsepo

from . import table


def converged(method: ModuleType, config: Any) -> torch.Tensor:
    def expected_loss(logits_R: torch.Tensor) -> torch.Tensor:
        batch, probability_P = table.all_pairs(logits_R)
        loss_P: torch.Tensor = method.loss(config, batch)
        return (probability_P * loss_P).sum()

    return table.minimize(expected_loss)


@pytest.mark.parametrize("beta", [0.3, 1.0, 4.0])
@pytest.mark.parametrize("method", [dpo, online_dpo])
def test_dpo_reaches_the_tilted_reference(method: ModuleType, beta: float) -> None:
    """Rafailov et al. 2023, theorem 1 and eq. 4: pi_ref exp(r / beta) / Z."""
    logp_R = converged(method, method.Config(beta=beta))
    assert torch.allclose(logp_R, table.tilted(beta), atol=1e-6)


@pytest.mark.parametrize("beta", [0.1, 0.5, 2.0])
def test_ipo_reaches_its_own_optimum(beta: float) -> None:
    """Azar et al. 2023, eq. 6 with the identity: pi_ref(y) exp(p(y beats pi_ref) / beta) / Z."""
    logp_R = converged(ipo, ipo.Config(beta=beta))
    win_R = table.preference_RR() @ table.REFERENCE_R
    optimum_R = torch.log_softmax(table.REFERENCE_LOGP_R + win_R / beta, -1)
    assert torch.allclose(logp_R, optimum_R, atol=1e-6)
    assert not torch.allclose(logp_R, table.tilted(beta), atol=0.05)


@pytest.mark.parametrize("method", [sparsepo, mapo])
def test_open_masks_on_one_token_are_dpo(method: ModuleType) -> None:
    """With m = 1 the KL of the one shared prefix cancels between chosen and rejected."""
    logp_R = converged(method, method.Config(beta=0.7))
    assert torch.allclose(logp_R, table.tilted(0.7), atol=1e-6)


def test_a_mask_scales_what_dpo_is_pulled_by() -> None:
    """m_u = 2 everywhere and no KL mask: the same optimum as beta twice as large."""

    def expected_loss(logits_R: torch.Tensor) -> torch.Tensor:
        batch, probability_P = table.all_pairs(logits_R)
        masks = torch.tensor([2.0, 0.0], dtype=torch.float64).expand(table.RESPONSES**2, 1, 2)
        batch = PairBatch.of(one._replace(output=masks) for one in batch[:2])
        loss_P = sparsepo.loss(sparsepo.Config(beta=0.5, sparsity=0.0), batch)
        return (probability_P * loss_P).sum()

    assert torch.allclose(table.minimize(expected_loss), table.tilted(1.0), atol=1e-6)
