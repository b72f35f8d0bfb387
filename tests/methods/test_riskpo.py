from __future__ import annotations

import math

import pytest
import torch

from overopt.methods.rollout import riskpo

from . import rollouts

SCORES = [0.0, 1.0, 2.0, 3.0, 4.0]


def found(config: riskpo.Config, reward: list[list[float]]) -> list[list[float]]:
    seen = rollouts.rollout([0.0, 0.0])._replace(reward_BN=torch.tensor(reward).double())
    advantage_BN: list[list[float]] = riskpo.advantages(config, seen).tolist()
    return advantage_BN


def test_advantages_by_hand() -> None:
    """S = 0..4 of one bundle: quantiles .8 and 3.2; (1.5 CVaR + RVaR)/2.5 over the SD 1.5811.

    CVaR is -4 of the worst and 0 of the others; RVaR (-4, -3.6667, -2, -.3333, 0), and 4 more
    without the bracket.
    """
    expected = [-2.5298, -0.9276, -0.5060, -0.0843, 0.0]
    assert found(riskpo.Config(bundle=1), [SCORES])[0] == pytest.approx(expected, abs=5e-5)
    without = riskpo.Config(bundle=1, baseline=False)
    expected = [-1.5179, 0.0843, 0.5060, 0.9276, 1.0119]
    assert found(without, [SCORES])[0] == pytest.approx(expected, abs=5e-5)


def test_every_bundle_has_quantiles_of_its_own() -> None:
    """S = 0..4 and S = 10..14, which tell the same of their papers."""
    far = [value + 10 for value in SCORES]
    one, other = found(riskpo.Config(bundle=1), [SCORES, far])
    assert one == pytest.approx([-2.5298, -0.9276, -0.5060, -0.0843, 0.0], abs=5e-5)
    assert other == pytest.approx(one)


@pytest.mark.parametrize("tied", [[9.0] * 5, [9.0, 9.0, 9.0, 9.0, 9.0 + 1e-6]])
def test_papers_that_tie_teach_nothing(tied: list[float]) -> None:
    """An SD of 4.5e-7 counts as rounding; over it, A would be of the order of 1."""
    one, other = found(riskpo.Config(bundle=1), [SCORES, tied])
    assert one[0] == pytest.approx(-2.5298, abs=5e-5)
    assert other == [0.0] * 5


def test_responses_of_a_paper_share_its_advantage() -> None:
    """Two prompts whose rewards add up to 0..4."""
    reward = [[0.0, 0.5, 2.0, 1.0, 3.0], [0.0, 0.5, 0.0, 2.0, 1.0]]
    one, other = found(riskpo.Config(bundle=2), reward)
    assert one == other == pytest.approx(found(riskpo.Config(bundle=1), [SCORES])[0])


def test_prompts_left_over_join_a_bundle() -> None:
    """Three prompts in bundles of two are one, on the scale of two prompts."""
    reward = [[0.0, 0.5, 1.0, 1.5, 2.0]] * 3
    rows = found(riskpo.Config(bundle=2), reward)
    assert rows[0] == rows[2] == pytest.approx(found(riskpo.Config(bundle=1), [SCORES])[0])


def test_without_a_tail_over_all_levels_it_is_the_score() -> None:
    """Less the worst one, or the best one with the bracket."""
    for baseline, least in ((False, 0.0), (True, -4.0)):
        config = riskpo.Config(bundle=1, tail_weight=0.0, low=0.0, high=1.0, baseline=baseline)
        row = found(config, [SCORES])[0]
        assert row == pytest.approx([(value + least) / 1.58114 for value in SCORES], abs=1e-4)


def test_a_heavy_tail_leaves_the_worst_alone() -> None:
    row = found(riskpo.Config(bundle=1, tail_weight=1e9), [SCORES])[0]
    assert row[0] == pytest.approx(-4 / 1.58114, abs=1e-4)
    assert row[1:] == pytest.approx([0.0] * 4, abs=1e-6)


def test_loss_is_clipped_on_both_sides() -> None:
    """w = 1.5 of both: -A min(w, 1.2) where A > 0, w where A < 0."""
    config = riskpo.Config(bundle=1)
    taken = rollouts.step(riskpo, config, rollouts.rollout([1.0, 3.0]), [0.405465] * 2)
    taken = taken._replace(advantage=torch.tensor([[-1.0, 1.0]]).double())
    assert riskpo.loss(config, taken)[0].tolist() == pytest.approx([1.5, -1.2], abs=1e-5)
    wider = riskpo.Config(bundle=1, clip_high=0.28)
    assert riskpo.loss(wider, taken)[0].tolist() == pytest.approx([1.5, -1.28], abs=1e-5)
    assert riskpo.training(config).minibatches == 4


def test_beta_adds_k3_to_the_loss() -> None:
    """Log-ratio .4 of one token each: k3 = e^-.4 - 1 + .4."""
    seen = rollouts.rollout([0.4, 0.4])
    taken = rollouts.step(riskpo, riskpo.Config(bundle=1), seen, [0.4, 0.4])
    taken = taken._replace(advantage=torch.zeros(1, 2, dtype=torch.float64))
    free, held = (riskpo.loss(riskpo.Config(beta=beta), taken) for beta in (0.0, 0.5))
    expected = 0.5 * (math.exp(-0.4) - 1 + 0.4)
    assert (held - free).tolist() == [pytest.approx([expected, expected])]


def test_a_lower_level_above_the_upper_one_is_refused() -> None:
    with pytest.raises(ValueError, match=r"low = 0\.9 is above high = 0\.8"):
        found(riskpo.Config(low=0.9), [SCORES])
