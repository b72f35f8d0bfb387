"""A particle filter over the tokens of a response."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from scipy.special import log_softmax
from transformers import PreTrainedModel

from overopt.engines.contract import Reward
from overopt.engines.method.particles import OpenedParticles
from overopt.methods.contract.particles import Grown
from overopt.models.sampling import sample
from overopt.stats.arrays import Floats, Ints
from overopt.worlds.tokens import PAD, Tokens


class Answers(NamedTuple):
    """What R runs of a filter return.

    responses: the answer of each run.
    log_share_R: log of N times the chance to be drawn, summed over the steps, of the answer and
        of what it grew from: 0 where all particles weigh the same.
    """

    responses: Tokens
    log_share_R: Floats


@dataclass(frozen=True)
class _Particles:
    """R x N partial answers, run-major.

    ids_PT, length_P: tokens so far. done_P: ended, or as long as can be. score_P: proxy score as
    they stand. log_share_P: see ``Answers``, of the particle and of those it descends from.
    """

    ids_PT: npt.NDArray[np.int32]
    length_P: npt.NDArray[np.int32]
    done_P: npt.NDArray[np.bool_]
    score_P: Floats
    log_share_P: Floats

    def take(self, row_P: Ints) -> _Particles:
        """These particles, repeats included."""
        return _Particles(*(part[row_P] for part in vars(self).values()))


class ParticleFilter:
    """A method's particle filter, with the initial policy and the proxy that it runs on.

    Args:
        method: opened.
        policy: the initial policy, from which answers grow.
        reward: the proxy; it reads answers that have not ended like any others.
        tokens_max: longest response, T.
        stop_ids: tokens that end a response.
    """

    def __init__(
        self,
        method: OpenedParticles,
        policy: PreTrainedModel,
        reward: Reward,
        tokens_max: int,
        stop_ids: tuple[int, ...],
    ) -> None:
        self._method, self._policy, self._reward = method, policy, reward
        self._tokens_max, self._stop_ids = tokens_max, stop_ids
        self.count = method.count
        self._block = -(-tokens_max // method.steps)
        self._steps = -(-tokens_max // self._block)

    def run(
        self,
        prompts: Tokens,
        knob: float,
        generator: torch.Generator,
        rng: np.random.Generator,
        kept: Tokens | None = None,
    ) -> Answers:
        """One answer to each of R prompts.

        Args:
            prompts: R of them, repeats included.
            knob: of the method.
            generator: of the tokens. rng: of who is drawn.
            kept: responses, one for each run: the first particle of every run grows into it and is
                never dropped, and it is the answer (a conditional filter).

        Reference:
            Andrieu, Doucet, Holenstein, "Particle Markov chain Monte Carlo methods", 2010,
            section 4.3 (conditional SMC)
        """
        runs, count = prompts.rows(), self.count
        asked = prompts.take(np.repeat(np.arange(runs), count))
        size = runs * count
        now = _Particles(
            np.full((size, self._tokens_max), PAD, np.int32),
            np.zeros(size, np.int32),
            np.zeros(size, np.bool_),
            np.zeros(size),
            np.zeros(size),
        )
        first_R1 = np.arange(runs)[:, None] * count
        for step in range(1, self._steps + 1):
            now = self._grow(asked, now, generator, None if kept is None else (kept, step))
            grown = Grown(now.score_P.reshape(runs, count), step, self._steps)
            chance_RN = log_softmax(self._method.potential(grown, knob), axis=1)
            share_P = (chance_RN + np.log(count)).ravel()
            now = replace(now, log_share_P=now.log_share_P + share_P)
            drawn = count if step < self._steps else 1
            index_RD = _draw(np.exp(chance_RN), drawn, rng)
            if kept is not None:
                index_RD[:, 0] = 0
            now = now.take((first_R1 + index_RD).ravel())
        responses = Tokens(now.ids_PT, now.length_P).take(np.arange(runs))
        return Answers(responses, now.log_share_P)

    def _grow(
        self,
        asked: Tokens,
        now: _Particles,
        generator: torch.Generator,
        kept: tuple[Tokens, int] | None,
    ) -> _Particles:
        """Every particle that has not ended, one block longer and scored."""
        grows_P = ~now.done_P
        ids_PT, length_P = now.ids_PT.copy(), now.length_P.copy()
        if kept is not None:
            response, step = kept
            row_R = np.arange(0, len(ids_PT), self.count)
            grows_P[row_R] = False
            told_R = np.minimum(response.length_N, step * self._block)
            width = response.ids_NT.shape[1]
            shown_RT = np.arange(width) < told_R[:, None]
            ids_PT[row_R, :width] = np.where(shown_RT, response.ids_NT, PAD)
            length_P[row_R] = told_R
        row_K = np.flatnonzero(grows_P)
        if len(row_K):
            here = int(length_P[row_K[0]])  # all that grow are as long
            new = min(self._block, self._tokens_max - here)
            begun = append(asked.take(row_K), ids_PT[row_K, :here])
            drawn = sample(self._policy, begun, 1, new, generator).responses
            ids_PT[row_K, here : here + drawn.ids_NT.shape[1]] = drawn.ids_NT
            length_P[row_K] = here + drawn.length_N
        held = Tokens(ids_PT, length_P)
        score_P = now.score_P.copy()
        changed_K = np.flatnonzero(grows_P | (length_P != now.length_P))
        if len(changed_K):
            score_P[changed_K] = self._reward(asked.take(changed_K), held.take(changed_K))
        done_P = held.ends_with(self._stop_ids) | (length_P == self._tokens_max)
        return replace(now, ids_PT=ids_PT, length_P=length_P, done_P=done_P, score_P=score_P)


def append(prompts: Tokens, ids_NC: npt.NDArray[np.int32]) -> Tokens:
    """Prompts that go on with the C tokens of each row."""
    rows, added = ids_NC.shape
    length_N = prompts.length_N + np.int32(added)
    joined_NL = np.full((rows, int(length_N.max(initial=0))), PAD, np.int32)
    joined_NL[:, : prompts.ids_NT.shape[1]] = prompts.ids_NT
    column_NC = prompts.length_N[:, None] + np.arange(added)
    np.put_along_axis(joined_NL, column_NC, ids_NC, axis=1)
    return Tokens(joined_NL, length_N)


def _draw(chance_RN: Floats, draws: int, rng: np.random.Generator) -> Ints:
    """Particles (R, D) drawn with replacement, each draw by the same chances (multinomial)."""
    edge_RN = chance_RN.cumsum(axis=1)
    uniform_RD = rng.random((len(chance_RN), draws)) * edge_RN[:, -1:]
    index_RD = (uniform_RD[:, :, None] >= edge_RN[:, None, :]).sum(axis=2)
    return np.asarray(np.minimum(index_RD, chance_RN.shape[1] - 1), np.int64)
