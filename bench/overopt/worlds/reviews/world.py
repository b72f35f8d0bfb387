"""The reviews world: short requests for a review, a mediocre writer, and a demanding reader.

A prompt names a topic, two aspects, a tone and a length, such as
``<bos> hotel : pool staff ; glowing ; short <sep>``; a response is a few short sentences. The
language, the writer's habits and the reader's taste are all generated from the world's seed.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

from overopt.spec.world import WorldSpec
from overopt.worlds.contract import split_prompts, sum_terms
from overopt.worlds.reviews.grammar import legal_transitions
from overopt.worlds.reviews.lexicon import (
    ASPECTS_PER_TOPIC,
    LENGTHS,
    TONES,
    TOPICS_OF_WORLD,
    Lexicon,
    Role,
    draw_lexicon,
)
from overopt.worlds.reviews.rule import ReviewRule, RuleWeights
from overopt.worlds.reviews.writer import ReviewWriter, draw_habits
from overopt.worlds.tokens import BOS, SEP, Tokens

RESPONSE_TOKENS_MAX = 28
PROMPTS_MAX = (
    TOPICS_OF_WORLD * (ASPECTS_PER_TOPIC * (ASPECTS_PER_TOPIC - 1) // 2) * len(TONES) * len(LENGTHS)
)
"""Distinct requests: 10 topics x 45 pairs of aspects x 5 tones x 3 lengths = 6750."""

# Separates this world's draws from those of another kind with the same seed.
_STREAM = 0x7265_7669

SPEC = WorldSpec


@dataclass(frozen=True, eq=False)
class Reviews:
    """A reviews world (see ``worlds.contract.World``)."""

    vocabulary: tuple[str, ...]
    train_prompts: Tokens
    heldout_prompts: Tokens
    response_tokens_max: int
    responses: Tokens | None
    lexicon: Lexicon
    rule: ReviewRule
    writer: ReviewWriter

    def references(self, prompts: Tokens, rng: np.random.Generator) -> Tokens:
        """One review by the mediocre writer, with EOS, for each of the N prompts."""
        return self.writer.write(prompts, rng)

    def gold(self, prompts: Tokens, responses: Tokens) -> npt.NDArray[np.float64]:
        """Rule gold in raw units, (N,): the sum of ``gold_terms``."""
        return sum_terms(self.gold_terms(prompts, responses))

    def gold_terms(self, prompts: Tokens, responses: Tokens) -> dict[str, npt.NDArray[np.float64]]:
        """The terms of ``ReviewRule.score_terms``, each (N,)."""
        return self.rule.score_terms(prompts, responses)


def draw_rule(lexicon: Lexicon, rng: np.random.Generator) -> ReviewRule:
    """The reader's taste: every weight log-normal (about 10 %) around a sensible center.

    The valence of a mild adjective is about 1, of a strong one about 1.8, of a verb about 1.3.
    """

    def jitter(center: float) -> float:
        return float(center * np.exp(0.1 * rng.standard_normal()))

    center_V = np.where(lexicon.strong_V, 1.8, 1.0)
    sign_V = np.zeros(len(lexicon.words))
    for role, sign in (
        (Role.POSITIVE, 1.0),
        (Role.NEGATIVE, -1.0),
        (Role.LIKING, 1.3),
        (Role.DISLIKING, -1.3),
    ):
        sign_V[lexicon.of(role)] = sign
    tone_V = np.zeros(len(lexicon.words), dtype=np.int8)
    tone_V[[lexicon.id(word) for word in TONES]] = np.arange(len(TONES)) - len(TONES) // 2
    wanted_words_V = np.zeros(len(lexicon.words), dtype=np.int32)
    wanted_words_V[[lexicon.id(word) for word in LENGTHS]] = [
        int(rng.integers(low, low + 3)) for low in (8, 13, 19)
    ]
    return ReviewRule(
        role_V=lexicon.role_V,
        valence_V=sign_V * center_V * np.exp(0.1 * rng.standard_normal(len(sign_V))),
        tone_V=tone_V,
        wanted_words_V=wanted_words_V,
        legal_CC=legal_transitions(),
        weights=RuleWeights(
            sentiment=jitter(2.6),
            sentiment_scale=(jitter(2.5), jitter(2.5), jitter(4.0)),
            gushing_from=(jitter(6.0), jitter(5.0), jitter(7.5)),
            gushing=jitter(0.5),
            intensifier=jitter(1.6),
            hedge=jitter(0.6),
            negation=-jitter(0.7),
            relevance=jitter(2.8),
            relevance_rest=jitter(0.15),
            stray=jitter(0.3),
            grammar=jitter(5.0),
            unfinished=jitter(0.5),
            repetition=jitter(7.0),
            bigram_share=jitter(0.5),
            repetition_power=1 + jitter(0.5),
            consistency=jitter(0.35),
            length=jitter(2.0),
        ),
    )


def _list_prompts(lexicon: Lexicon, rng: np.random.Generator) -> Tokens:
    """Every distinct request once, in random order; the two aspects in either order."""
    pair_P2 = np.array(list(combinations(range(ASPECTS_PER_TOPIC), 2)))
    topic_N, pair_N, tone_N, length_N = (
        index_N.ravel()
        for index_N in np.indices((TOPICS_OF_WORLD, len(pair_P2), len(TONES), len(LENGTHS)))
    )
    aspects_N2 = lexicon.aspects_TA[topic_N[:, None], rng.permuted(pair_P2[pair_N], axis=1)]
    colon, semicolon = lexicon.id(":"), lexicon.id(";")
    columns = (
        BOS, lexicon.of(Role.TOPIC)[topic_N], colon, aspects_N2[:, 0], aspects_N2[:, 1], semicolon,
        np.array([lexicon.id(word) for word in TONES])[tone_N], semicolon,
        np.array([lexicon.id(word) for word in LENGTHS])[length_N], SEP,
    )  # fmt: skip
    ids_NT = np.column_stack([np.broadcast_to(column, topic_N.shape) for column in columns])
    return Tokens.from_padded(ids_NT[rng.permutation(len(ids_NT))])


def build(spec: WorldSpec) -> Reviews:
    """The reviews world of the specification's seed.

    Raises:
        UserError: if training and held-out prompts together are more than there are.
    """
    words_rng, rule_rng, writer_rng, prompts_rng = (
        np.random.default_rng(sequence)
        for sequence in np.random.SeedSequence([_STREAM, spec.seed]).spawn(4)
    )
    lexicon = draw_lexicon(words_rng)
    rule = draw_rule(lexicon, rule_rng)
    train_prompts, heldout_prompts = split_prompts(_list_prompts(lexicon, prompts_rng), spec)
    return Reviews(
        vocabulary=lexicon.words,
        train_prompts=train_prompts,
        heldout_prompts=heldout_prompts,
        response_tokens_max=RESPONSE_TOKENS_MAX,
        responses=None,
        lexicon=lexicon,
        rule=rule,
        writer=ReviewWriter(lexicon, draw_habits(writer_rng), rule, RESPONSE_TOKENS_MAX - 1),
    )
