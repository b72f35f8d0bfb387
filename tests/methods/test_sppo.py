from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from overopt.methods.contract.reading import Reading
from overopt.methods.iterative import sppo

from . import fresh, trl_pairs
from .three_responses import LOG_REFERENCE_R

EACH_R = torch.arange(3)


def test_loss_by_hand() -> None:
    """Log-ratios .3 and -.1, P .7 and .3, beta 1: (.3 - .2)^2 and (-.1 + .2)^2."""
    one = torch.ones(2, 1)
    batch = Reading(-2 * one, -9 * one, one, sampled_logp=torch.tensor([[-2.3], [-1.9]]))
    batch = batch._replace(weight=torch.tensor([0.7, 0.3]))
    found = sppo.loss(sppo.Config(beta=1.0), batch).tolist()
    assert found == pytest.approx([0.01, 0.01], abs=1e-6)


@pytest.mark.parametrize(
    ("responses", "rows", "wins"),
    [
        ("all", [0, 1, 2, 3, 4, 5], [0.5, 0.8808, 0.2689, 0.5, 0.5, 0.5]),
        ("extremes", [1, 2], [0.8808, 0.2689]),
        ("hard", [1, 2], [1.0, 0.0]),
    ],
)
def test_samples_are_learned_from_their_win_rates(
    responses: str, rows: list[int], wins: list[float]
) -> None:
    seen = fresh.rollout([[0.0, 2.0, -1.0], [1.0] * 3])
    seen = seen._replace(opponents=fresh.rollout([[0.0], [1.0]]))
    built = sppo.build(sppo.Config(responses=responses), seen)
    assert built.row_K.tolist() == rows and built.weight_K is not None
    assert built.weight_K.tolist() == pytest.approx(wins, abs=5e-5)
    assert sppo.mixture(sppo.Config()) == 0.0


def test_a_round_comes_near_the_multiplicative_step_as_beta_grows() -> None:
    """What is left of the difference falls with the square of 1 / beta."""
    wins_R = fresh.CYCLE_RR @ LOG_REFERENCE_R.exp()
    left = []
    for beta in (10.0, 20.0):
        config = sppo.Config(beta=beta)

        def loss(logp_R: Tensor, config: sppo.Config = config) -> Tensor:
            batch = fresh.read(logp_R, EACH_R)._replace(
                weight=wins_R, sampled_logp=LOG_REFERENCE_R[:, None]
            )
            return (LOG_REFERENCE_R.exp() * sppo.loss(config, batch)).sum()

        step_R = fresh.learned(loss)
        exact_R = fresh.tilted(LOG_REFERENCE_R, wins_R / beta)
        moved = (exact_R - LOG_REFERENCE_R).abs().max()
        left.append(float((step_R - exact_R).abs().max()))
        assert left[-1] < 0.05 * moved
    assert left[1] < 0.3 * left[0]


def test_hard_is_trls(tmp_path: Path) -> None:
    config = sppo.Config(beta=0.3)

    def loss(batch: Any) -> Any:
        chosen_B, rejected_B = (
            sppo.loss(
                config,
                side._replace(
                    sampled_logp=side.reference_logp, weight=torch.full((len(side.mask),), wins)
                ),
            )
            for side, wins in zip(batch[:2], (1.0, 0.0), strict=True)
        )
        return chosen_B + rejected_B

    trl_pairs.assert_same(tmp_path, loss, ["sppo_hard"], beta=0.3)
