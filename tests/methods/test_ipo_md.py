from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from overopt.methods.contract.iterative import SamplePairs
from overopt.methods.iterative import ipo_md

from . import fresh, trl_pairs
from .test_against_trl import averaged
from .three_responses import LOG_REFERENCE_R


def test_loss_by_hand() -> None:
    """tau .1, margin .4: (.4 - 5)^2."""
    pair = fresh.sides((0.3, 9.0), (-0.1, -9.0))
    found = ipo_md.loss(ipo_md.Config(tau=0.1), pair).item()
    assert found == pytest.approx(21.16, abs=1e-4)


@pytest.mark.parametrize(
    ("soft", "first", "labels"), [(True, [3, 5], [0.7311, 0.5]), (False, [3], [1.0])]
)
def test_both_responses_are_the_mixtures(soft: bool, first: list[int], labels: list[float]) -> None:
    """Rows of the mixture's samples follow the three of the policy itself."""
    seen = fresh.rollout([[0.0, 2.0, 1.0]])
    seen = seen._replace(opponents=fresh.rollout([[1.0, 0.0, 4.0, 4.0, 9.0]]))
    built = ipo_md.build(ipo_md.Config(soft_labels=soft), seen)
    assert built.chosen_P.tolist() == first
    assert built.rejected_P.tolist() == [row + 1 for row in first]
    assert built.label_P is not None
    assert built.label_P.tolist() == pytest.approx(labels, abs=5e-5)
    assert ipo_md.mixture(ipo_md.Config(initial_share=0.25)) == 0.25


@pytest.mark.parametrize("share", [0.5, 1.0])
def test_it_comes_to_rest_at_the_tilt_by_win_rates_over_the_mixture(share: float) -> None:
    """pi = pi_ref exp(P pi^m / tau) / Z, m the share of the initial policy."""
    config, start_R = ipo_md.Config(tau=0.5, initial_share=share), LOG_REFERENCE_R

    def mixed(logp_R: torch.Tensor) -> torch.Tensor:
        weight = ipo_md.mixture(config)
        return torch.log_softmax((1 - weight) * logp_R + weight * LOG_REFERENCE_R, -1)

    for _ in range(10):
        start_R = fresh.round_of_pairs(
            lambda pairs: ipo_md.loss(config, pairs), start_R, fresh.CYCLE_RR, mixed(start_R)
        )
    wins_R = fresh.CYCLE_RR @ mixed(start_R).exp()
    assert torch.allclose(start_R, fresh.tilted(LOG_REFERENCE_R, wins_R / 0.5), atol=1e-5)


def test_loss_is_trls_ipo_of_log_ratios_per_token(tmp_path: Path) -> None:
    config = ipo_md.Config(tau=0.7)

    def loss(batch: Any) -> Any:
        ones = torch.ones(len(batch.chosen.mask))
        sides = (side._replace(label=ones) for side in averaged(batch)[:2])
        return ipo_md.loss(config, SamplePairs(*sides))

    trl_pairs.assert_same(tmp_path, loss, ["ipo"], beta=0.7)
