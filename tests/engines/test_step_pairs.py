"""Where a response goes wrong, found by what the initial policy makes of its beginnings."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from overopt.engines.contract import Reward, RunInputs
from overopt.engines.pair_inputs.steps import StepPairs, pair_steps
from overopt.errors import UserError
from overopt.worlds.preferences import Preferences
from overopt.worlds.tokens import SEP, Tokens

from . import tiny

SAMPLES, SPOILER = 24, 5


def ends(responses: Tokens) -> npt.NDArray[np.bool_]:
    """Steps are of two tokens; the last may be of one."""
    position_T = np.arange(responses.ids_NT.shape[1])
    last_NT = position_T == responses.length_N[:, None] - 1
    return np.asarray(last_NT | ((position_T % 2 == 1) & responses.mask_NT), np.bool_)


def spoiled(prompts: Tokens, responses: Tokens) -> npt.NDArray[np.float64]:
    """1 without a word, 0 with it, wherever it stands."""
    return np.asarray(1.0 - (responses.ids_NT == SPOILER).any(1), np.float64)


def given(taste: Reward = spoiled) -> tuple[Preferences, RunInputs]:
    reference = tiny.policy()
    inputs = tiny.run_inputs(tiny.twin(reference), reference, taste=taste)
    assert inputs.preferences is not None
    return inputs.preferences, replace(inputs, step_ends=ends)


def find(taste: Reward = spoiled) -> tuple[Preferences, StepPairs]:
    pairs, inputs = given(taste)
    return pairs, pair_steps(pairs, SAMPLES, inputs, "stepwise")


def rows(tokens: Tokens) -> list[list[int]]:
    return [
        ids_T[:length].tolist()
        for ids_T, length in zip(tokens.ids_NT, tokens.length_N, strict=True)
    ]


def beginnings(pairs: Preferences) -> dict[tuple[int, ...], list[list[int]]]:
    """By prompt and whole steps of a rejected response, the steps that follow in some of them."""
    found: dict[tuple[int, ...], list[list[int]]] = {}
    for prompt, response in zip(rows(pairs.prompts), rows(pairs.rejected), strict=True):
        for start in range(0, len(response), 2):
            found.setdefault((*prompt, *response[:start]), []).append(response[start : start + 2])
    return found


def test_the_worst_step_is_the_one_that_spoils_the_response() -> None:
    """What comes takes all of the chance that nothing would come; another step adds to it."""
    pairs, found = find()
    spoiling = {
        (prefix, *step)
        for prefix, steps in beginnings(pairs).items()
        for step in steps
        if SPOILER in step and SPOILER not in prefix[prefix.index(SEP) :]
    }
    assert len(spoiling) > 10
    asked, better, worse = (rows(part) for part in found.preferences)
    assert spoiling <= {(tuple(prefix), *bad) for prefix, bad in zip(asked, worse, strict=True)}
    for prefix, good, bad in zip(asked, better, worse, strict=True):
        if (tuple(prefix), *bad) in spoiling:
            assert SPOILER not in good


def test_steps_follow_a_beginning_of_the_rejected_response() -> None:
    pairs, found = find()
    known = beginnings(pairs)
    asked, better, worse = (rows(part) for part in found.preferences)
    assert all(
        bad in known[tuple(prefix)] and good != bad and 1 <= len(good) <= 2
        for prefix, good, bad in zip(asked, better, worse, strict=True)
    )


def test_continuations_are_counted() -> None:
    pairs, found = find()
    steps = int(ends(pairs.rejected).sum())
    assert found.drawn == steps * SAMPLES
    assert found.tokens > found.drawn * int(pairs.prompts.length_N.min())


def test_where_nothing_goes_wrong_there_is_nothing_to_learn() -> None:
    def alike(prompts: Tokens, responses: Tokens) -> npt.NDArray[np.float64]:
        return np.zeros(responses.rows())

    with pytest.raises(UserError, match="no step of the preference data is worse"):
        find(alike)


def test_a_score_that_is_not_finite_names_the_method() -> None:
    def broken(prompts: Tokens, responses: Tokens) -> npt.NDArray[np.float64]:
        return np.full(responses.rows(), np.inf)

    with pytest.raises(FloatingPointError, match="stepwise: a score"):
        find(broken)
