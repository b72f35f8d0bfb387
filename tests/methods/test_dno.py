from __future__ import annotations

import pytest
import torch

from overopt.methods.iterative import dno

from . import fresh
from .three_responses import LOG_REFERENCE_R


def test_loss_by_hand() -> None:
    """r_t .7 and .4: label s(.3) = .5744; h .4 at eta 1: .6832."""
    label = torch.sigmoid(torch.tensor(0.3)).item()
    assert label == pytest.approx(0.5744, abs=5e-5)
    pair = fresh.sides((9.0, 0.3), (-9.0, -0.1), label)
    assert dno.loss(dno.Config(eta=1.0), pair).item() == pytest.approx(0.6832, abs=5e-5)


def test_labels_are_of_win_rates_over_the_policys_own_samples() -> None:
    """Rewards 1 and -1 against 0 and 2: wins (s(1) + s(-1))/2 and (s(-1) + s(-3))/2."""
    seen = fresh.rollout([[1.0, -1.0, 7.0]])._replace(opponents=fresh.rollout([[0.0, 2.0]]))
    built = dno.build(dno.Config(), seen)
    assert (built.chosen_P.tolist(), built.rejected_P.tolist()) == ([0], [1])
    wins = torch.sigmoid(torch.tensor([[1.0, -1.0], [-1.0, -3.0]])).mean(-1)
    assert built.label_P is not None
    assert built.label_P.item() == pytest.approx(torch.sigmoid(wins[0] - wins[1]).item())
    assert dno.mixture(dno.Config()) == 0.0


@pytest.mark.parametrize("eta", [1.0, 5.0])
def test_rounds_are_mirror_steps_of_eq_9(eta: float) -> None:
    """From pi_ref on the cycle r_t is (.53, .41, .56); eta 1 leads to (.5143, .2737, .2120)."""
    config, start_R = dno.Config(eta=eta), LOG_REFERENCE_R
    for number in range(2):
        wins_R = fresh.CYCLE_RR @ start_R.exp()
        label_RR = torch.sigmoid(wins_R[:, None] - wins_R[None, :])
        found_R = fresh.round_of_pairs(lambda pairs: dno.loss(config, pairs), start_R, label_RR)
        assert torch.allclose(found_R, fresh.tilted(start_R, wins_R / eta), atol=1e-6)
        if eta == 1.0 and number == 0:
            assert wins_R.tolist() == pytest.approx([0.53, 0.41, 0.56])
            assert found_R.exp().tolist() == pytest.approx([0.5143, 0.2737, 0.2120], abs=5e-5)
        start_R = found_R
