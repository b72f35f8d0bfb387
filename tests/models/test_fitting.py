"""Supervised training learns what was planted, reproducibly, and refuses what is no number."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from overopt.models.fitting import warmup_cosine
from overopt.models.language_fitting import train_language_model
from overopt.models.logprobs import response_logps, score_logps
from overopt.models.optimizer import build_optimizer
from overopt.models.rewards.reward_fitting import bradley_terry_loss, train_reward
from overopt.models.sequences import join, shuffle_batches
from overopt.spec.training import TrainingSpec
from overopt.worlds.preferences import Preferences
from overopt.worlds.tokens import Tokens

from . import tiny

TRAINING = TrainingSpec.model_validate(
    {"learning_rate": 1e-2, "batch_size": 16, "epochs": 6, "warmup_fraction": 0.1}
)


def _taught() -> tuple[Tokens, Tokens]:
    """64 prompts of one color; the taught response repeats that color and ends."""
    color_N = np.arange(64) % 2 + 4
    return (
        tiny.tokens(*([1, int(color), 2] for color in color_N)),
        tiny.tokens(*([int(color), int(color), 3] for color in color_N)),
    )


def _preferences(rows: int, liked: int, seed: int) -> Preferences:
    """Comparisons of random responses of 4 and 5; the one with more of the liked is preferred."""
    rng = np.random.default_rng(seed)
    kinds = rng.permuted(np.tile(np.arange(5), (rows, 1)), axis=1)[:, :2]

    def responses(liked_P: np.ndarray) -> Tokens:
        words = [[liked] * int(n) + [9 - liked] * (4 - int(n)) for n in liked_P]
        return tiny.tokens(*([*rng.permutation(row).tolist(), 3] for row in words))

    return Preferences(
        tiny.tokens(*([1, int(word), 2] for word in rng.integers(4, 6, rows))),
        responses(kinds.max(1)),
        responses(kinds.min(1)),
    )


def test_warm_up_and_cosine_by_hand() -> None:
    rates = [warmup_cosine(step, 6, 2) for step in range(6)]
    assert rates == pytest.approx(
        [0.5, 1.0, 1.0, 0.5 * (1 + math.sqrt(0.5)), 0.5, 0.5 * (1 - math.sqrt(0.5))]
    )
    assert warmup_cosine(0, 4, 0) == 1.0


def test_bradley_terry_loss_by_hand() -> None:
    loss_P = bradley_terry_loss(torch.tensor([0.0, math.log(3.0)]), torch.tensor([0.0, 0.0]))
    assert loss_P.tolist() == pytest.approx([math.log(2), math.log(4 / 3)])


def test_only_matrices_decay() -> None:
    model = tiny.policy(0)
    decayed, spared = build_optimizer(model, 1e-3, 0.1).param_groups
    assert (decayed["weight_decay"], spared["weight_decay"]) == (0.1, 0.0)
    assert all(weight.dim() >= 2 for weight in decayed["params"])
    assert all(weight.dim() == 1 for weight in spared["params"])
    count = len(decayed["params"]) + len(spared["params"])
    assert count == len(list(model.parameters()))


def test_a_language_model_learns_its_responses() -> None:
    model, (prompts, responses) = tiny.policy(1, 1.0), _taught()
    training = TRAINING.model_copy(update={"epochs": 20})
    trajectory = train_language_model(model, prompts, responses, training, np.random.default_rng(0))
    assert trajectory.loss_K.shape == (80,)
    assert trajectory.tokens == 20 * 64 * 6
    assert trajectory.loss_K[0] == pytest.approx(math.log(5), abs=0.1)
    assert np.exp(score_logps(model, prompts, responses).sum(1)).min() > 0.9
    assert not model.training


def test_training_is_the_plain_loop_with_the_batches_of_its_generator() -> None:
    prompts, responses = _taught()
    trained, plain = tiny.policy(2, 1.0), tiny.policy(2, 1.0)
    trajectory = train_language_model(
        trained, prompts, responses, TRAINING, np.random.default_rng(1)
    )
    rng = np.random.default_rng(1)
    optimizer = build_optimizer(plain, TRAINING.learning_rate, TRAINING.weight_decay)
    losses: list[float] = []
    for _ in range(TRAINING.epochs):
        for index_B in shuffle_batches(prompts.length_N + responses.length_N, 16, rng):
            for group in optimizer.param_groups:
                group["lr"] = 1e-2 * warmup_cosine(len(losses), 24, 3)
            batch = join(prompts.take(index_B), responses.take(index_B))
            # mean over the three tokens of sixteen responses
            loss = -response_logps(plain, batch).sum() / 48
            torch.autograd.backward(loss)
            torch.nn.utils.clip_grad_norm_(plain.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
            losses.append(float(loss.detach()))
    np.testing.assert_allclose(trajectory.loss_K, losses, rtol=1e-6)
    for ours, theirs in zip(trained.parameters(), plain.parameters(), strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("liked", [4, 5])
def test_a_reward_model_learns_a_planted_taste(liked: int) -> None:
    # an untrained model may rank by one of the two tokens already, but not by both
    model = tiny.reward_model(4, 1.0)
    preferences, heldout = _preferences(256, liked, seed=1), _preferences(100, liked, seed=2)
    result = train_reward(model, preferences, heldout, TRAINING, np.random.default_rng(0))
    assert result.heldout_accuracy > 0.97
    assert result.heldout_loss < 0.3
    assert result.trajectory.loss_K[0] == pytest.approx(math.log(2), abs=0.1)
    assert result.trajectory.tokens == 6 * 256 * 2 * (3 + 5)


def test_a_tie_counts_half() -> None:
    model = tiny.reward_model(5)
    preferences = _preferences(16, 4, seed=0)
    equal = preferences._replace(rejected=preferences.chosen)
    result = train_reward(model, preferences, equal, TRAINING, np.random.default_rng(0))
    assert result.heldout_accuracy == 0.5


def test_training_follows_its_generator() -> None:
    prompts, responses = _taught()
    weights = []
    for seed in (3, 3, 4):
        model = tiny.policy(6, 1.0)
        train_language_model(model, prompts, responses, TRAINING, np.random.default_rng(seed))
        weights.append(torch.cat([weight.detach().flatten() for weight in model.parameters()]))
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_progress_is_told() -> None:
    prompts, responses = _taught()
    told: list[tuple[float, str]] = []
    train_language_model(
        tiny.policy(7),
        prompts,
        responses,
        TRAINING,
        np.random.default_rng(0),
        lambda fraction, text: told.append((fraction, text)),
    )
    assert len(told) == 24
    assert told[-1][0] == 1.0
    assert told[0][1].startswith("loss ")


def test_what_is_no_number_names_its_step() -> None:
    prompts, responses = _taught()
    model = tiny.policy(8)
    with torch.no_grad():
        model.lm_head.weight[4] = float("nan")
    with pytest.raises(FloatingPointError, match="step 1: loss nan"):
        train_language_model(model, prompts, responses, TRAINING, np.random.default_rng(0))


def test_a_reward_model_needs_held_out_comparisons() -> None:
    preferences = _preferences(4, 4, seed=0)
    nothing = preferences.take(np.zeros(4, dtype=bool))
    with pytest.raises(ValueError, match="at least one held-out"):
        train_reward(tiny.reward_model(9), preferences, nothing, TRAINING, np.random.default_rng(0))
