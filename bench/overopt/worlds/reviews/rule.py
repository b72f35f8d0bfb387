"""The rule gold of a reviews world: what a demanding reader thinks of a review.

Six named terms, each with diminishing or turning returns. Near the reference writer, who writes
too little and too tamely, more tone and more words mostly help; far from it they do harm. A proxy
that extrapolates a trend of the reference texts is therefore right at first and wrong later.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from overopt.errors import UserError
from overopt.worlds.reviews.lexicon import Role
from overopt.worlds.tokens import BOS, SEP, Tokens

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int32]
Flags = npt.NDArray[np.bool_]

PROMPT_ROLES = (
    Role.SPECIAL, Role.TOPIC, Role.MARK, Role.ASPECT, Role.ASPECT,
    Role.MARK, Role.TONE, Role.MARK, Role.LENGTH, Role.SPECIAL,
)  # fmt: skip
"""Roles of the ten tokens of a prompt: ``<bos> hotel : pool staff ; glowing ; short <sep>``."""

CONTENT_ROLES = (
    Role.TOPIC, Role.ASPECT, Role.OPENER, Role.INTENSIFIER, Role.HEDGE, Role.POSITIVE,
    Role.NEUTRAL, Role.NEGATIVE, Role.LIKING, Role.DISLIKING,
)  # fmt: skip
"""Words that a reader notices when they come again."""

_BLOCK_ROWS = 16_384


@dataclass(frozen=True)
class RuleWeights:
    """Weights and shapes of the terms, in raw gold units unless said otherwise.

    sentiment: value of tone fully reached.
    sentiment_scale: tone mass at which 1 - 1/e of it is reached, by |tone| = 0, 1, 2.
    gushing_from: tone mass beyond which more does harm, by |tone| = 0, 1, 2.
    gushing: cost per unit of tone mass beyond that.
    intensifier, hedge, negation: factors on the valence of the word that follows.
    relevance: value of topic and both aspects mentioned for good.
    relevance_rest: share of a mention's value that is still missing after one mention.
    stray: cost of each mention of a topic or aspect that was not asked for.
    grammar: cost of a response without a legal transition.
    unfinished: cost of a response that does not end with a full stop and EOS.
    repetition: cost of a response with as many repeats as words.
    bigram_share: what a repeated bigram counts, relative to a repeated word.
    repetition_power: exponent above 1 that makes repetition convex.
    consistency: cost per unit of contradicting tone mass.
    length: cost of a response of twice the wanted number of words.
    """

    sentiment: float
    sentiment_scale: tuple[float, float, float]
    gushing_from: tuple[float, float, float]
    gushing: float
    intensifier: float
    hedge: float
    negation: float
    relevance: float
    relevance_rest: float
    stray: float
    grammar: float
    unfinished: float
    repetition: float
    bigram_share: float
    repetition_power: float
    consistency: float
    length: float


def read_wish(role_V: npt.NDArray[np.int8], prompts: Tokens) -> Integers:
    """Token ids of what each prompt asks for, (N, 5): topic, two aspects, tone, length.

    Raises:
        UserError: if a row is not a prompt of this world.
    """
    ids_NT = prompts.ids_NT
    if prompts.rows() == 0:
        return np.zeros((0, 5), dtype=np.int32)
    shaped = ids_NT.shape[1] == len(PROMPT_ROLES) and bool((ids_NT < len(role_V)).all())
    framed = bool((ids_NT[:, 0] == BOS).all() and (ids_NT[:, -1] == SEP).all())
    if not shaped or not framed or (role_V[ids_NT] != np.array(PROMPT_ROLES)).any():
        raise UserError(
            "a prompt does not belong to this reviews world: it must read "
            "'<bos> topic : aspect aspect ; tone ; length <sep>'; use the prompts of this world"
        )
    return ids_NT[:, [1, 3, 4, 6, 8]]


def count_repeats(codes_NT: npt.NDArray[np.integer], counted_NT: Flags) -> Floats:
    """How many of the counted codes in each row stood there before: sum over codes of (n - 1)."""
    columns = np.arange(codes_NT.shape[1])
    distinct_NT = np.where(counted_NT, codes_NT.astype(np.int64), -1 - columns)
    distinct_NT.sort(axis=1)
    repeats_N: Floats = (distinct_NT[:, 1:] == distinct_NT[:, :-1]).sum(axis=1).astype(np.float64)
    return repeats_N


@dataclass(frozen=True, eq=False)
class ReviewRule:
    """The rule of one world: tables over its V words, the legal bigrams, and the weights.

    role_V: role of every word.
    valence_V: liking (+) or disliking (-) that the word expresses; 0 for words without tone.
    tone_V: what a tone word of the prompt asks for, -2 .. 2; 0 elsewhere.
    wanted_words_V: number of words that a length word of the prompt asks for; 0 elsewhere.
    legal_CC: whether one role may follow another, row = earlier.
    weights: weights of the terms.
    """

    role_V: npt.NDArray[np.int8]
    valence_V: Floats
    tone_V: npt.NDArray[np.int8]
    wanted_words_V: npt.NDArray[np.int32]
    legal_CC: Flags
    weights: RuleWeights

    def score_terms(self, prompts: Tokens, responses: Tokens) -> dict[str, Floats]:
        """The six terms in raw gold units, weights applied, each (N,); their sum is the gold.

        A response is n words, EOS not counted. Any token that no sentence can contain is a word
        that no bigram allows; an empty response has n = 0.

        Tone mass: each word's valence times the factor of the modifier before it ("really" more,
        "rather" less, "not" reversed); P adds up the positive values, Q the negative ones as
        magnitudes. A is the mass that was asked for and C the mass against it: (P, Q) for a
        positive tone, (Q, P) for a negative one, (2 min(P, Q), |P - Q|) for a balanced one.

        sentiment   = w [(1 - exp(-A/a)) - (1 - exp(-C/a))] - g max(0, A - k), where a and k
                      belong to the strength |tone|: each further word adds less, gushing hurts.
        relevance   = w/3 sum over topic and both aspects of (1 - q^mentions) - s stray mentions.
        grammar     = -w (1 - legal/(n + 1)) - u [no full stop at the end, or no EOS after it],
                      over the n + 1 transitions start -> words -> end.
        repetition  = -w ((r + b r2)/n)^p, p > 1: r repeated content words, r2 repeated word pairs
                      with a content word in them, each counted from the second time on.
        consistency = -w X: X = min(P, Q), or |P - Q| / 2 where balance was asked for.
        length      = -w ((n - L)/L)^2, L the wanted number of words.

        Args:
            prompts: N prompts of this world.
            responses: N responses, any tokens.

        Raises:
            UserError: if a prompt is not one of this world's.
        """
        blocks = [
            self._score_block(
                prompts.take(np.arange(start, min(start + _BLOCK_ROWS, prompts.rows()))),
                responses.take(np.arange(start, min(start + _BLOCK_ROWS, prompts.rows()))),
            )
            for start in range(0, max(prompts.rows(), 1), _BLOCK_ROWS)
        ]
        return {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}

    def _score_block(self, prompts: Tokens, responses: Tokens) -> dict[str, Floats]:
        wish_N5 = read_wish(self.role_V, prompts)
        finished_N = responses.finished_N
        words_N = responses.length_N - finished_N
        word_NT = np.arange(responses.ids_NT.shape[1]) < words_N[:, None]
        ids_NT = responses.ids_NT
        role_NT = np.where(word_NT, self.role_V[ids_NT], Role.SPECIAL).astype(np.int8)
        tone_N = self.tone_V[wish_N5[:, 3]]
        positive_N, negative_N = self._tone_masses(ids_NT, role_NT)
        return {
            "sentiment": self._sentiment(tone_N, positive_N, negative_N),
            "relevance": self._relevance(wish_N5, ids_NT, role_NT, word_NT),
            "grammar": self._grammar(role_NT, words_N, finished_N),
            "repetition": self._repetition(ids_NT, role_NT, word_NT),
            "consistency": self._consistency(tone_N, positive_N, negative_N),
            "length": self._length(wish_N5, words_N),
        }

    def _tone_masses(
        self, ids_NT: Integers, role_NT: npt.NDArray[np.int8]
    ) -> tuple[Floats, Floats]:
        factor_C = np.ones(len(Role))
        factor_C[Role.INTENSIFIER] = self.weights.intensifier
        factor_C[Role.HEDGE] = self.weights.hedge
        factor_C[Role.NEGATION] = self.weights.negation
        tone_NT = np.where(role_NT == Role.SPECIAL, 0.0, self.valence_V[ids_NT])
        tone_NT[:, 1:] *= factor_C[role_NT[:, :-1]]
        return np.maximum(tone_NT, 0).sum(axis=1), np.maximum(-tone_NT, 0).sum(axis=1)

    def _sentiment(
        self, tone_N: npt.NDArray[np.int8], positive_N: Floats, negative_N: Floats
    ) -> Floats:
        weights = self.weights
        balanced_N = tone_N == 0
        toward_N = np.where(tone_N > 0, positive_N, negative_N)
        against_N = np.where(tone_N > 0, negative_N, positive_N)
        toward_N = np.where(balanced_N, 2 * np.minimum(positive_N, negative_N), toward_N)
        against_N = np.where(balanced_N, np.abs(positive_N - negative_N), against_N)
        scale_N = np.array(weights.sentiment_scale)[np.abs(tone_N)]
        excess_N = np.maximum(0, toward_N - np.array(weights.gushing_from)[np.abs(tone_N)])
        reached_N = np.exp(-against_N / scale_N) - np.exp(-toward_N / scale_N)
        sentiment_N: Floats = weights.sentiment * reached_N - weights.gushing * excess_N
        return sentiment_N

    def _relevance(
        self,
        wish_N5: Integers,
        ids_NT: Integers,
        role_NT: npt.NDArray[np.int8],
        word_NT: Flags,
    ) -> Floats:
        weights = self.weights
        mentions_N3 = np.stack(
            [((ids_NT == wish_N5[:, [part]]) & word_NT).sum(axis=1) for part in range(3)], axis=1
        )
        nouns_N = ((role_NT == Role.TOPIC) | (role_NT == Role.ASPECT)).sum(axis=1)
        known_N = (1 - weights.relevance_rest**mentions_N3).mean(axis=1)
        stray_N = nouns_N - mentions_N3.sum(axis=1)
        relevance_N: Floats = weights.relevance * known_N - weights.stray * stray_N
        return relevance_N

    def _grammar(
        self, role_NT: npt.NDArray[np.int8], words_N: Integers, finished_N: Flags
    ) -> Floats:
        rows, width = role_NT.shape
        path_NT = np.full((rows, width + 2), Role.SPECIAL, dtype=np.int8)
        path_NT[:, 0] = Role.START
        path_NT[:, 1:-1] = role_NT
        path_NT[np.arange(rows), words_N + 1] = Role.END
        step_NT = np.arange(width + 1) <= words_N[:, None]
        illegal_NT = step_NT & ~self.legal_CC[path_NT[:, :-1], path_NT[:, 1:]]
        illegal_N: Floats = illegal_NT.sum(axis=1) / (words_N + 1)
        complete_N = finished_N & (path_NT[np.arange(rows), words_N] == Role.STOP)
        weights = self.weights
        grammar_N: Floats = -weights.grammar * illegal_N - weights.unfinished * ~complete_N
        return grammar_N

    def _repetition(
        self, ids_NT: Integers, role_NT: npt.NDArray[np.int8], word_NT: Flags
    ) -> Floats:
        content_C = np.zeros(len(Role), dtype=np.bool_)
        content_C[list(CONTENT_ROLES)] = True
        content_NT = content_C[role_NT]
        pairs_NT = ids_NT[:, :-1].astype(np.int64) * len(self.role_V) + ids_NT[:, 1:]
        counted_NT = (content_NT[:, :-1] | content_NT[:, 1:]) & word_NT[:, 1:]
        weights = self.weights
        repeats_N = count_repeats(ids_NT, content_NT)
        repeats_N += weights.bigram_share * count_repeats(pairs_NT, counted_NT)
        rate_N: Floats = repeats_N / np.maximum(word_NT.sum(axis=1), 1)
        return -weights.repetition * rate_N**weights.repetition_power

    def _consistency(
        self, tone_N: npt.NDArray[np.int8], positive_N: Floats, negative_N: Floats
    ) -> Floats:
        clash_N = np.where(
            tone_N == 0,
            np.abs(positive_N - negative_N) / 2,
            np.minimum(positive_N, negative_N),
        )
        return -self.weights.consistency * clash_N

    def _length(self, wish_N5: Integers, words_N: Integers) -> Floats:
        wanted_N = self.wanted_words_V[wish_N5[:, 4]]
        deviation_N: Floats = (words_N - wanted_N) / wanted_N
        return -self.weights.length * deviation_N**2
