"""The martingale test: its sums by enumeration, its level, and what it says most about."""

from __future__ import annotations

import os

import numpy as np
import pytest
from scipy.stats import norm

from overopt.artifacts.randomness import torch_rng
from overopt.leaderboard.verification.likelihood import (
    FUNCTIONS,
    Score,
    judge_likelihood,
    score_samples,
)
from overopt.models.enumeration import enumerate_logps
from overopt.models.sampling import sample
from overopt.worlds.contract import stop_ids

from .forged import SAMPLES, make_stage, policy

TIMES = int(os.environ.get("SIMULATION_TIMES", "1"))
LIMIT = 4
"""Tokens of a response in these worlds."""


def score(*values: float, variance: float = 4.0) -> Score:
    return Score(np.array([values]), np.full((1, len(values)), variance))


def test_by_hand() -> None:
    """Two policies of variance 4: z is sum / 2 alone, sum / sqrt(8) together; two levels."""
    told = judge_likelihood([score(9.0, 0.0, 0.0), score(8.0, 0.0, 0.0)])
    assert told.p == pytest.approx(2 * 3 * 2 * norm.sf(17 / 8**0.5))
    assert (told.policy, told.function) == (None, 0)
    told = judge_likelihood([score(0.0, 0.0, -12.0), score(0.0, 0.0, 0.0)])
    assert told.p == pytest.approx(2 * 6 * 2 * norm.sf(6.0))
    assert (told.policy, told.function) == (0, 2)
    assert told.z == pytest.approx(-6.0)


def test_sums_have_mean_zero_and_the_stated_variance_over_all_responses() -> None:
    """Enumerated: over every response of a world, weighted by its chance, for each function."""
    stage = make_stage(1)
    model, every = policy(stage, 5, 0.4), stage.world.responses
    assert every is not None
    prompt = stage.world.heldout_prompts.take(np.array([3]))
    chance_R = np.exp(enumerate_logps(model, prompt, every)[0])
    repeated = prompt.take(np.zeros(every.rows(), np.int64))
    told = score_samples(model, stage.reference, repeated, every, stop_ids(stage.world))
    assert chance_R.sum() == pytest.approx(1.0, abs=1e-6)
    assert chance_R @ told.sum_NF == pytest.approx(np.zeros(len(FUNCTIONS)), abs=1e-5)
    assert chance_R @ told.sum_NF**2 == pytest.approx(chance_R @ told.variance_NF, rel=1e-4)


def test_level() -> None:
    """z of own samples, at the size of an entry's policy, is standard normal in its tails."""
    stage, times = make_stage(2), 40 * TIMES
    model, prompts = policy(stage, 5, 0.4), stage.world.heldout_prompts
    repeated = prompts.take(np.repeat(np.arange(prompts.rows()), SAMPLES))
    found = 0
    for number in range(times):
        drawn = sample(model, prompts, SAMPLES, LIMIT, torch_rng(number, "own")).responses
        one = score_samples(model, stage.reference, repeated, drawn, stop_ids(stage.world))
        found += judge_likelihood([one]).p <= 0.05
    print(f"{found} of {times} at 5 %")
    assert found <= times * 0.05 + 3.5 * (times * 0.05) ** 0.5


def test_mixed_lengths_and_a_policy_that_never_draws_a_token() -> None:
    """Padding counts for nothing, and a chance of exactly 0 times its logarithm is 0."""
    stage = make_stage(3)
    model, prompts = policy(stage, 5, 0.4), stage.world.heldout_prompts
    drawn = sample(model, prompts, 2, LIMIT, torch_rng(0, "own")).responses
    repeated = prompts.take(np.repeat(np.arange(prompts.rows()), 2))
    whole = score_samples(model, stage.reference, repeated, drawn, stop_ids(stage.world))
    assert np.isfinite(whole.sum_NF).all() and (whole.variance_NF >= 0).all()
    backwards = np.arange(drawn.rows())[::-1]
    again = score_samples(
        model,
        stage.reference,
        repeated.take(backwards),
        drawn.take(backwards),
        stop_ids(stage.world),
    )
    assert again.sum_NF[::-1] == pytest.approx(whole.sum_NF, abs=1e-4)


def test_there_must_be_a_policy() -> None:
    with pytest.raises(ValueError, match="no policy"):
        judge_likelihood([])
