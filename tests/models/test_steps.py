"""Reward models read at the end of steps, and trained on labels of them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from overopt.models.rewards.reward import score
from overopt.models.rewards.step_fitting import step_loss, train_steps
from overopt.models.rewards.step_scores import score_tokens, token_logits
from overopt.models.sequences import join
from overopt.spec.training import TrainingSpec

from . import tiny


def test_a_response_s_last_token_has_the_reward_of_the_response() -> None:
    model, prompts = tiny.reward_model(0), tiny.prompts()
    responses = tiny.tokens([4, 5, 3], [3], [5, 4, 4, 5, 3], [2, 3])
    logit_NT = score_tokens(model, prompts, responses, batch_tokens=20)
    last_N = logit_NT[np.arange(4), responses.length_N - 1]
    np.testing.assert_allclose(last_N, score(model, prompts, responses), atol=1e-5)
    assert logit_NT.shape == (4, 5) and not logit_NT[~responses.mask_NT].any()


def test_what_follows_changes_no_step() -> None:
    model, prompts = tiny.reward_model(1), tiny.prompts()
    whole = tiny.tokens([4, 5, 4, 3], [5, 5, 4, 3], [4, 4, 5, 3], [5, 4, 5, 3])
    begun = tiny.tokens(*([*row[:2]] for row in whole.ids_NT.tolist()))
    seen_NT, before_NT = (score_tokens(model, prompts, text) for text in (whole, begun))
    np.testing.assert_allclose(seen_NT[:, :2], before_NT, atol=1e-5)
    assert np.ptp(seen_NT) > 0.1


def test_equal_rows_have_exactly_equal_steps() -> None:
    model, responses = tiny.reward_model(2), tiny.all_responses()
    twice = responses.take(np.tile(np.arange(responses.rows()), 2))
    prompts = tiny.tokens(*([1, 4, 2],) * twice.rows())
    first_NT, second_NT = np.split(score_tokens(model, prompts, twice, batch_tokens=64), 2)
    assert np.array_equal(first_NT, second_NT)


def test_log_odds_that_are_no_numbers_are_an_error() -> None:
    model = tiny.reward_model(3)
    with torch.no_grad():
        model.score.weight.fill_(float("nan"))
    with pytest.raises(FloatingPointError, match="not finite"):
        score_tokens(model, tiny.tokens([1, 4, 2]), tiny.tokens([4, 3]))


def test_loss_by_hand() -> None:
    # p = .5, .75, .9; first row: steps 1 and 3, right and wrong: -(log .5 + log .1) / 2;
    # second row: step 2 alone, right: -log .75
    logit_BT = torch.tensor([0.0, 3.0, 9.0]).log().nan_to_num(neginf=0.0).repeat(2, 1)
    correct_BT = torch.tensor([[1.0, 1.0, 0.0], [0.0, 1.0, 0.0]])
    end_BT = torch.tensor([[True, False, True], [False, True, False]])
    expected = torch.tensor([(0.693147 + 2.302585) / 2, 0.287682])
    assert_close(step_loss(logit_BT, correct_BT, end_BT), expected, atol=1e-6, rtol=0)


def test_a_single_step_is_cross_entropy_of_the_outcome() -> None:
    logit_BT = torch.tensor([[0.3, -1.2, 0.7]])
    end_BT = torch.tensor([[False, False, True]])
    for right in (0.0, 1.0):
        label = torch.tensor([[0.0, 0.0, right]])
        expected = torch.nn.functional.binary_cross_entropy_with_logits(
            logit_BT[:, 2], label[:, 2], reduction="none"
        )
        assert_close(step_loss(logit_BT, label, end_BT), expected)


def test_only_ends_of_steps_are_learned() -> None:
    model = tiny.reward_model(4)
    batch = join(tiny.prompts(), tiny.tokens([4, 3], [5, 3], [4, 3], [5, 3]))
    logit_BT = token_logits(model, batch)
    logit_BT.retain_grad()
    end_BT = torch.tensor([[True, False]] * 4)
    torch.autograd.backward(step_loss(logit_BT, torch.zeros(4, 2), end_BT).mean())
    assert logit_BT.grad is not None
    assert (logit_BT.grad[:, 0] > 0).all() and not logit_BT.grad[:, 1].any()
    assert torch.isfinite(model.score.weight.grad).all()


def test_training_learns_which_steps_are_right() -> None:
    """A step of ``red`` is right, one of ``blue`` is wrong, wherever it stands."""
    rng = np.random.default_rng(0)
    words_NT = rng.integers(4, 6, size=(256, 3))
    responses = tiny.tokens(*([*row, 3] for row in words_NT.tolist()))
    prompts = tiny.prompts().take(rng.integers(0, 4, 256))
    end_NT = np.tile([True, True, True, False], (256, 1))
    correct_NT = np.column_stack([words_NT == 4, np.zeros(256, dtype=bool)])
    model = tiny.reward_model(5, contrast=1.0)
    training = TrainingSpec.model_validate({"learning_rate": 1e-2, "batch_size": 32, "epochs": 4})
    done = train_steps(
        model, prompts, responses, end_NT, correct_NT, training, np.random.default_rng(1)
    )
    assert len(done.loss_K) == 4 * 8
    assert done.loss_K[0] == pytest.approx(np.log(2), abs=0.05)
    logit_NT = score_tokens(model, prompts, responses)
    assert np.array_equal((logit_NT > 0)[end_NT], correct_NT[end_NT])
