"""The head that is fitted on frozen states: by hand, as the maximum of a known likelihood."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import expit

from overopt.errors import UserError
from overopt.models.rewards.probing import fit_head, probe_head, read_states
from overopt.models.rewards.reward import score
from overopt.worlds.preferences import Preferences

from . import tiny


def test_one_feature_by_hand() -> None:
    # every difference is 1: sigmoid(-w) = ridge w, and sigmoid(-1) = 0.26894142
    head_D = fit_head(np.ones((5, 1)), ridge=0.26894142136999512)
    assert head_D == pytest.approx([1.0], abs=1e-9)


def test_labels_of_a_linear_reward_give_it_back() -> None:
    """Each difference stands twice, in both directions, as often as its probability says."""
    rng = np.random.default_rng(0)
    true_D = np.array([1.0, -2.0, 0.5])
    difference_PD = rng.normal(size=(200, 3))
    times_P = np.round(2000 * expit(difference_PD @ true_D)).astype(int)
    kept, turned = (
        np.repeat(difference_PD, times_P, 0),
        np.repeat(-difference_PD, 2000 - times_P, 0),
    )
    found_D = fit_head(np.concatenate([kept, turned]), ridge=1e-9)
    assert found_D == pytest.approx(true_D, abs=2e-3)


def test_separable_comparisons_have_a_finite_head() -> None:
    head_D = fit_head(np.eye(2) * 50.0)
    assert np.isfinite(head_D).all() and (head_D > 0).all()


@pytest.mark.parametrize("scale", [0.1, 1.0, 30.0])
def test_the_slope_is_zero_where_it_ends(scale: float) -> None:
    """Of a quarter of the labels turned, in states of very different sizes, some twins."""
    rng = np.random.default_rng(1)
    size_D = scale * np.exp(2.0 * rng.normal(size=24))
    state_PD = rng.normal(size=(96, 24)) * size_D
    state_PD[:, 1] = state_PD[:, 0]
    sign_P = np.sign(state_PD @ rng.normal(size=24)) * np.where(rng.random(96) < 0.25, -1, 1)
    difference_PD = state_PD * sign_P[:, None]
    head_D = fit_head(difference_PD, ridge=0.01)
    wrong_P = expit(-difference_PD @ head_D)
    slope_D = -difference_PD.T @ wrong_P / 96 + 0.01 * head_D
    assert np.abs(slope_D / size_D).max() < 1e-6
    assert head_D[0] == pytest.approx(head_D[1])


def test_a_model_gets_the_head_and_scores_by_it() -> None:
    model = tiny.reward_model(0)
    prompts = tiny.prompts()
    chosen = tiny.tokens([4, 3], [4, 4, 3], [5, 4, 3], [4, 3])
    rejected = tiny.tokens([5, 3], [5, 5, 3], [5, 3], [5, 4, 3])
    pairs = Preferences(prompts, chosen, rejected)
    trunk = {name: value.clone() for name, value in model.base_model.state_dict().items()}
    probe_head(model, pairs)
    for name, value in model.base_model.state_dict().items():
        assert torch.equal(value, trunk[name]), name
    head_D = model.score.weight.detach().double().numpy()[0]
    expected_N = read_states(model, prompts, chosen) @ head_D
    assert score(model, prompts, chosen) == pytest.approx(expected_N, abs=1e-4)
    assert (score(model, prompts, chosen) > score(model, prompts, rejected)).all()
    first = model.score.weight.detach().clone()
    probe_head(model, pairs)
    assert torch.equal(first, model.score.weight)


def test_a_model_without_a_head_is_refused() -> None:
    pairs = Preferences(tiny.prompts(), tiny.prompts(), tiny.prompts())
    with pytest.raises(UserError, match="no linear head"):
        probe_head(tiny.policy(0), pairs)
