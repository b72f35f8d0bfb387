"""Pairs of steps, made of pairs of responses: where a response goes wrong, and what goes better.

What a prefix is worth is estimated by Monte Carlo: the mean score, by the proxy, of responses that
the initial policy makes of it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from overopt.engines.contract import RunInputs, required
from overopt.errors import UserError
from overopt.models.sampling import sample
from overopt.worlds.preferences import Preferences
from overopt.worlds.tokens import Tokens, concatenate, end_to_end

Index = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class StepPairs(NamedTuple):
    """Preferences among steps, each after a prompt and the steps before it.

    drawn, tokens: samples that it took, and their prompt and response tokens.
    """

    preferences: Preferences
    drawn: int
    tokens: int


class _Continued(NamedTuple):
    """Q prefixes of responses, with what the initial policy makes of each.

    pair_Q: whose rejected response they are the beginning of. length_Q: tokens of it.
    responses: K whole responses of each, Q x K rows. score_QK: the proxy's.
    """

    pair_Q: Index
    length_Q: Index
    responses: Tokens
    score_QK: Floats


def pair_steps(pairs: Preferences, count: int, inputs: RunInputs, name: str) -> StepPairs:
    """The worst step of each rejected response, and a better one in its place.

    The worst step is the one after which the value has fallen most, or risen least. The better one
    is the first step of the best continuation from before it. A pair is left out where that is the
    same step, or where no continuation scores more than the worst step is worth.

    Args:
        pairs: of whole responses.
        count: K, continuations of each prefix.
        inputs: of the run, with a proxy and a world of steps; torch draws the continuations.
        name: of the method.

    Raises:
        FloatingPointError: a score is not finite.
        UserError: no pair of steps is left.
    """
    ends = required(inputs.step_ends, "a world whose responses are made of steps")
    reward = required(inputs.reward, "a proxy")
    end_PT = ends(pairs.rejected)
    pair_Q, place_Q = (index.astype(np.int64) for index in np.nonzero(end_PT))
    whole_P = np.asarray(reward(pairs.prompts, pairs.rejected), np.float64)
    continued = _continue(pairs, count, inputs, pair_Q, _starts(pair_Q, place_Q))
    if not (np.isfinite(whole_P).all() and np.isfinite(continued.score_QK).all()):
        raise FloatingPointError(f"{name}: a score of the proxy is not finite")
    value_Q = continued.score_QK.mean(1)
    last_Q = np.append(pair_Q[1:] != pair_Q[:-1], True)
    after_Q = np.where(last_Q, whole_P[pair_Q], np.append(value_Q[1:], 0.0))
    best_Q = continued.score_QK.argmax(1)
    end_RT = ends(continued.responses)
    before, better, worse = [], [], []
    for rows_K in np.split(np.arange(len(pair_Q)), np.flatnonzero(last_Q)[:-1] + 1):
        q = int(rows_K[np.argmin(after_Q[rows_K] - value_Q[rows_K])])
        start, row = int(continued.length_Q[q]), q * count + int(best_Q[q])
        stop = start + int(end_RT[row, start:].argmax())
        good_T = continued.responses.ids_NT[row, start : stop + 1]
        bad_T = pairs.rejected.ids_NT[pair_Q[q], start : place_Q[q] + 1]
        if continued.score_QK[q].max() > after_Q[q] and not np.array_equal(good_T, bad_T):
            before.append(q)
            better.append(_row(good_T))
            worse.append(_row(bad_T))
    if not before:
        raise UserError(
            f"{name}: no step of the preference data is worse than what the initial policy would "
            "do in its place; choose another --proxy or more continuations."
        )
    asked = _prefixes(pairs, pair_Q, continued.length_Q)
    sampled = int(np.repeat(pairs.prompts.length_N[pair_Q], count).sum())
    return StepPairs(
        Preferences(asked.take(np.array(before)), concatenate(better), concatenate(worse)),
        continued.responses.rows(),
        sampled + int(continued.responses.length_N.sum()),
    )


def _starts(pair_Q: Index, place_Q: Index) -> Index:
    """Where each step starts: after the one before it, or at the beginning."""
    first_Q = np.append(True, pair_Q[1:] != pair_Q[:-1])
    return np.where(first_Q, 0, np.append(0, place_Q[:-1] + 1))


def _prefixes(pairs: Preferences, pair_Q: Index, length_Q: Index) -> Tokens:
    """Prompts, each with as many tokens of its rejected response."""
    ids_QT = pairs.rejected.ids_NT[pair_Q]
    begun = Tokens.from_flat(
        ids_QT[np.arange(ids_QT.shape[1]) < length_Q[:, None]], length_Q.astype(np.int32)
    )
    return end_to_end([pairs.prompts.take(pair_Q), begun])


def _continue(
    pairs: Preferences, count: int, inputs: RunInputs, pair_Q: Index, length_Q: Index
) -> _Continued:
    """Let the initial policy go on from every prefix, those of one length together."""
    asked, order, parts = _prefixes(pairs, pair_Q, length_Q), [], []
    for length in np.unique(length_Q):
        rows_K = np.flatnonzero(length_Q == length)
        further = sample(
            inputs.reference,
            asked.take(rows_K),
            count,
            inputs.max_new_tokens - int(length),
            inputs.randomness.torch,
        ).responses
        begun_T = pairs.rejected.ids_NT[np.repeat(pair_Q[rows_K], count), :length]
        begun = Tokens(begun_T, np.full(len(begun_T), length, np.int32))
        parts.append(end_to_end([begun, further]))
        order.append((rows_K[:, None] * count + np.arange(count)).ravel())
    responses = concatenate(parts).take(np.argsort(np.concatenate(order)))
    reward = required(inputs.reward, "a proxy")
    score_R = reward(pairs.prompts.take(np.repeat(pair_Q, count)), responses)
    return _Continued(
        pair_Q, length_Q, responses, np.asarray(score_R, np.float64).reshape(-1, count)
    )


def _row(ids_T: npt.NDArray[np.int32]) -> Tokens:
    return Tokens(ids_T[None], np.array([len(ids_T)], np.int32))
