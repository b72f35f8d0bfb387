from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from overopt.methods.contract.iterative import SamplePairs
from overopt.methods.iterative import online_ipo

from . import fresh, trl_pairs
from .test_against_trl import averaged
from .three_responses import LOG_REFERENCE_R


def test_loss_by_hand() -> None:
    """tau .1, margin .4: (.4 - 5)^2 = 21.16, with p = 3/4: .75 21.16 + .25 5.4^2."""
    config = online_ipo.Config(tau=0.1)
    for label, expected in ((1.0, 21.16), (0.75, 23.16)):
        pair = fresh.sides((0.3, 9.0), (-0.1, -9.0), label)
        assert online_ipo.loss(config, pair).item() == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(
    ("soft", "chosen", "labels"),
    [(True, [0, 1, 2], [0.2689, 0.7311, 0.5]), (False, [0, 1], [0.0, 1.0])],
)
def test_each_sample_meets_a_further_one(
    soft: bool, chosen: list[int], labels: list[float]
) -> None:
    seen = fresh.rollout([[0.0, 2.0, 1.0]])._replace(opponents=fresh.rollout([[1.0, 1.0, 1.0]]))
    built = online_ipo.build(online_ipo.Config(soft_labels=soft), seen)
    assert built.chosen_P.tolist() == chosen
    assert built.rejected_P.tolist() == [row + 3 for row in chosen]
    assert built.label_P is not None
    assert built.label_P.tolist() == pytest.approx(labels, abs=5e-5)
    assert online_ipo.mixture(online_ipo.Config()) == 0.0


@pytest.mark.parametrize(
    ("tau", "nash"), [(0.5, [0.5097, 0.2559, 0.2344]), (1.0, [0.5100, 0.2751, 0.2150])]
)
def test_it_comes_to_rest_at_the_regularized_nash_policy(tau: float, nash: list[float]) -> None:
    """One fit on the samples of mu leads to pi_ref exp(P mu / tau) / Z; fits go on from there."""
    config, start_R = online_ipo.Config(tau=tau), LOG_REFERENCE_R
    for number in range(12):
        found_R = fresh.round_of_pairs(
            lambda pairs: online_ipo.loss(config, pairs), start_R, fresh.CYCLE_RR
        )
        if number < 2:
            wins_R = fresh.CYCLE_RR @ start_R.exp()
            expected_R = fresh.tilted(LOG_REFERENCE_R, wins_R / tau)
            assert torch.allclose(found_R, expected_R, atol=1e-6)
        start_R = found_R
    assert start_R.exp().tolist() == pytest.approx(nash, abs=1e-4)


def test_loss_is_trls_ipo_of_log_ratios_per_token(tmp_path: Path) -> None:
    config = online_ipo.Config(tau=0.3)

    def loss(batch: Any) -> Any:
        ones = torch.ones(len(batch.chosen.mask))
        sides = (side._replace(label=ones) for side in averaged(batch)[:2])
        return online_ipo.loss(config, SamplePairs(*sides))

    trl_pairs.assert_same(tmp_path, loss, ["ipo"], beta=0.3)
