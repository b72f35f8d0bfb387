"""Reward models: one number per row, whatever else is in the batch."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from overopt.models.rewards.reward import distinct_rows, rewards, score
from overopt.models.sequences import join
from overopt.worlds.tokens import Tokens

from . import tiny


def test_scores_equal_those_of_rows_alone() -> None:
    model, prompts = tiny.reward_model(0), tiny.prompts()
    responses = tiny.tokens([4, 5, 3], [3], [5, 4, 4, 5, 3], [2, 3])
    scored_N = score(model, prompts, responses)
    assert scored_N.dtype == np.float64
    for row in range(4):
        ids = [
            *prompts.ids_NT[row, : prompts.length_N[row]],
            *responses.ids_NT[row, : responses.length_N[row]],
        ]
        alone = model(input_ids=torch.tensor([ids])).logits
        assert alone.shape == (1, 1)
        assert scored_N[row] == pytest.approx(float(alone.detach()), abs=1e-5)
    assert np.ptp(scored_N) > 0.1


@pytest.mark.parametrize("batch_tokens", [1, 50, 100_000])
def test_scores_depend_neither_on_batches_nor_on_order(batch_tokens: int) -> None:
    model, responses = tiny.reward_model(1), tiny.all_responses()
    rng = np.random.default_rng(0)
    prompts = tiny.prompts().take(rng.integers(0, 4, responses.rows()))
    scored_N = score(model, prompts, responses, batch_tokens)
    order_N = rng.permutation(responses.rows())
    shuffled_N = score(model, prompts.take(order_N), responses.take(order_N))
    np.testing.assert_allclose(scored_N[order_N], shuffled_N, atol=1e-5)


def test_equal_rows_have_exactly_equal_scores_and_the_prompt_counts() -> None:
    model = tiny.reward_model(2)
    prompts = tiny.tokens([1, 4, 2], [1, 4, 2], [1, 4, 2, 5])
    # the last two rows are the same tokens joined, split at another place
    scored_N = score(model, prompts, tiny.tokens([5, 3], [5, 3], [3]), batch_tokens=1)
    assert scored_N[0] == scored_N[1]
    assert scored_N[2] == pytest.approx(scored_N[0], abs=1e-5)


def test_a_last_token_of_number_0_is_not_padding() -> None:
    """Worlds with a tokenizer have no number that is padding only."""
    both = Tokens(np.array([[5, 4, 0], [5, 4, 0]], np.int32), np.array([2, 3], np.int32))
    same = tiny.tokens([4], [4])
    for first, second in ((same, both), (both, same)):
        first_U, inverse_N = distinct_rows(first, second)
        assert len(first_U) == 2 and inverse_N[0] != inverse_N[1]
    model = tiny.reward_model(5)
    together_N = score(model, same, both)
    alone = score(model, same.take(np.array([1])), both.take(np.array([1])))
    assert together_N[1] == pytest.approx(float(alone[0]), abs=1e-5)
    assert together_N[0] != together_N[1]


def test_rewards_carry_gradients() -> None:
    model = tiny.reward_model(3)
    batch = join(tiny.prompts(), tiny.tokens([3], [4, 3], [5, 3], [4, 4, 3]))
    torch.autograd.backward(rewards(model, batch).sum())
    assert torch.isfinite(model.score.weight.grad).all()


def test_a_reward_that_is_no_number_is_an_error() -> None:
    model = tiny.reward_model(4)
    with torch.no_grad():
        model.score.weight.fill_(float("nan"))
    with pytest.raises(FloatingPointError, match="1 of 1 distinct responses"):
        score(model, tiny.tokens([1, 2]), tiny.tokens([3]))
