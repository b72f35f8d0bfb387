"""The rule gold of a tabular world: tables over words and pairs of words, bent by four shapes.

The tables are additive in the prompt's words, so that a small transformer can carry what it learns
to held-out prompts; the shapes level off or turn, so that extrapolating a trend goes wrong.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from overopt.errors import UserError
from overopt.worlds.tokens import BOS, PAD, SEP, SPECIALS, Tokens

Floats = npt.NDArray[np.float64]

PROMPT_WORDS = 3
WORDS = 5
FIRST_WORD = len(SPECIALS)


@dataclass(frozen=True)
class TableWeights:
    """Weights and shapes of the terms, in raw gold units unless said otherwise.

    affinity: value per unit of affinity while it is small.
    affinity_scale: affinity at which its value levels off, in units of the table.
    neighbors: value per unit of the table of adjacent pairs.
    mention: value of mentioning the prompt's words for good.
    mention_rest: share of that value that is still missing after one mention.
    mentions_from, parroting: mentions beyond the first number cost the second each.
    repetition: cost of one repeated word; it grows with the square of their number.
    stray: cost of each BOS, SEP, PAD or early EOS.
    """

    affinity: float
    affinity_scale: float
    neighbors: float
    mention: float
    mention_rest: float
    mentions_from: float
    parroting: float
    repetition: float
    stray: float


@dataclass(frozen=True, eq=False)
class TableRule:
    """The rule gold: what each prompt word makes of each response word, and of each pair.

    affinity_JVV: liking of prompt word (second axis) at prompt position (first axis) for a
        response word (third axis); zero for special tokens.
    neighbor_VV: liking of one response word (row) followed by another; zero for specials.
    weights: weights of the terms.
    """

    affinity_JVV: Floats
    neighbor_VV: Floats
    weights: TableWeights

    def score_terms(self, prompts: Tokens, responses: Tokens) -> dict[str, Floats]:
        """The five terms in raw gold units, weights applied, each (N,); their sum is the gold.

        With x_1 .. x_3 the words of the prompt and y_1 .. y_m the tokens before a final EOS:

        affinity   = w s tanh(sum over t and j of A_j[x_j, y_t] / s): liking levels off.
        neighbors = w sum over t of B[y_t, y_t+1].
        mention    = w (1 - q^c) - g max(0, c - k): c of the tokens are words of the prompt; the
                     first ones please, parroting does not.
        repetition = -w r^2: r of the words stood there before.
        stray      = -w (special tokens before the end).

        Args:
            prompts: N prompts of this world.
            responses: N responses, any tokens.

        Raises:
            UserError: if a prompt is not one of this world's.
        """
        words_N3 = read_prompts(prompts, len(self.neighbor_VV))
        weights = self.weights
        body_N = responses.length_N - responses.finished_N
        body_NT = np.arange(responses.ids_NT.shape[1]) < body_N[:, None]
        ids_NT = np.where(body_NT, responses.ids_NT, PAD)
        word_NT = ids_NT >= FIRST_WORD
        liking_N = np.zeros(len(ids_NT))
        for position in range(PROMPT_WORDS):
            asked_N1 = words_N3[:, [position]]
            liking_N += self.affinity_JVV[position][asked_N1, ids_NT].sum(axis=1)
        mentions_N = (ids_NT[:, :, None] == words_N3[:, None, :]).any(axis=2).sum(axis=1)
        again_NT = np.tril(ids_NT[:, :, None] == ids_NT[:, None, :], -1).any(axis=2) & word_NT
        parroted_N = np.maximum(0.0, mentions_N - weights.mentions_from)
        scale = weights.affinity_scale
        return {
            "affinity": weights.affinity * scale * np.tanh(liking_N / scale),
            "neighbors": weights.neighbors
            * self.neighbor_VV[ids_NT[:, :-1], ids_NT[:, 1:]].sum(axis=1),
            "mention": weights.mention * (1 - weights.mention_rest**mentions_N)
            - weights.parroting * parroted_N,
            "repetition": -weights.repetition * again_NT.sum(axis=1).astype(np.float64) ** 2,
            "stray": -weights.stray * (body_NT & ~word_NT).sum(axis=1).astype(np.float64),
        }


def read_prompts(prompts: Tokens, vocabulary_size: int) -> npt.NDArray[np.int32]:
    """Token ids of the three words of each prompt, (N, 3).

    Raises:
        UserError: if a row is not a prompt of this world.
    """
    ids_NT = prompts.ids_NT
    if prompts.rows() == 0:
        return np.zeros((0, PROMPT_WORDS), dtype=np.int32)
    words_N3 = ids_NT[:, 1:-1]
    framed = bool((ids_NT[:, 0] == BOS).all() and (ids_NT[:, -1] == SEP).all())
    known = bool(((words_N3 >= FIRST_WORD) & (words_N3 < vocabulary_size)).all())
    if words_N3.shape[1] != PROMPT_WORDS or not framed or not known:
        raise UserError(
            "a prompt does not belong to this tabular world: it must read "
            "'<bos> word word word <sep>'; use the prompts of this world"
        )
    return words_N3


def draw_rule(rng: np.random.Generator) -> TableRule:
    """Normal tables over words, and weights log-normal (about 10 %) around sensible centers."""

    def jitter(center: float) -> float:
        return float(center * np.exp(0.1 * rng.standard_normal()))

    size = FIRST_WORD + WORDS
    affinity_JVV = np.zeros((PROMPT_WORDS, size, size))
    affinity_JVV[:, FIRST_WORD:, FIRST_WORD:] = rng.standard_normal((PROMPT_WORDS, WORDS, WORDS))
    neighbor_VV = np.zeros((size, size))
    neighbor_VV[FIRST_WORD:, FIRST_WORD:] = rng.standard_normal((WORDS, WORDS))
    weights = TableWeights(
        affinity=jitter(0.35),
        affinity_scale=jitter(4.0),
        neighbors=jitter(0.5),
        mention=jitter(1.5),
        mention_rest=jitter(0.4),
        mentions_from=2.0,
        parroting=jitter(1.2),
        repetition=jitter(0.5),
        stray=jitter(2.0),
    )
    return TableRule(affinity_JVV, neighbor_VV, weights)


def misunderstand(rule: TableRule, rng: np.random.Generator, fidelity: float = 0.5) -> TableRule:
    """The rule as a mediocre, over-careful writer takes it.

    Tables become fidelity x table + sqrt(1 - fidelity^2) x fresh noise. Repetition and parroting
    are feared three times as much as they deserve, so that they are rare in the writer's texts:
    a proxy trained on these has hardly seen what the rule punishes.
    """

    def blurred(table: Floats) -> Floats:
        noise = np.where(table != 0, rng.standard_normal(table.shape), 0.0)
        mixed: Floats = fidelity * table + math.sqrt(1 - fidelity**2) * noise
        return mixed

    weights = replace(
        rule.weights,
        repetition=3 * rule.weights.repetition,
        parroting=3 * rule.weights.parroting,
    )
    return TableRule(blurred(rule.affinity_JVV), blurred(rule.neighbor_VV), weights)
