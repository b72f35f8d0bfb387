"""The words of a reviews world: which words it uses and which part each plays.

The pools below are larger than a world needs. A seed draws from them, so that another seed speaks
with other words, has other topics, and files other aspects under each topic, while the number of
words of every role stays the same. Adjectives and modifiers begin with a consonant, so that the
one article "a" always fits.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from overopt.worlds.tokens import SPECIALS


class Role(IntEnum):
    """The part that a word plays; START and END are the virtual edges of a response."""

    SPECIAL = 0
    START = 1
    END = 2
    MARK = 3
    TONE = 4
    LENGTH = 5
    DETERMINER = 6
    ARTICLE = 7
    PRONOUN = 8
    OPENER = 9
    COPULA = 10
    HAD = 11
    AND = 12
    BUT = 13
    STOP = 14
    TOPIC = 15
    ASPECT = 16
    INTENSIFIER = 17
    HEDGE = 18
    NEGATION = 19
    POSITIVE = 20
    NEUTRAL = 21
    NEGATIVE = 22
    LIKING = 23
    DISLIKING = 24


TONES = ("scathing", "critical", "balanced", "friendly", "glowing")
"""Tone words of the prompt, from -2 to +2."""
LENGTHS = ("short", "medium", "long")

TOPICS_OF_WORLD, ASPECTS_OF_WORLD, ASPECTS_PER_TOPIC = 10, 24, 10
ADJECTIVES_PER_STRENGTH = 5

_FIXED = {
    Role.MARK: (":", ";"),
    Role.TONE: TONES,
    Role.LENGTH: LENGTHS,
    Role.ARTICLE: ("a",),
    Role.HAD: ("had",),
    Role.AND: ("and",),
    Role.BUT: ("but",),
    Role.STOP: (".",),
    Role.NEGATION: ("not",),
}

_TOPICS = (
    "hotel restaurant museum hostel spa cinema gym bakery theatre campsite library zoo airport "
    "cafe resort castle pub gallery ferry bookshop"
)
_ASPECTS = (
    "pool staff lobby garden menu terrace bar view kitchen playlist service location price mirror "
    "entrance corridor carpark toilet lounge breakfast balcony shop guide website ceiling smell "
    "soundtrack carpet lamp lift staircase fireplace manager brochure sauna"
)

# Role, how many a world uses, the pool they are drawn from.
_DRAWN: tuple[tuple[Role, int, str], ...] = (
    (Role.DETERMINER, 2, "the this our their"),
    (Role.TOPIC, TOPICS_OF_WORLD, _TOPICS),
    (Role.ASPECT, ASPECTS_OF_WORLD, _ASPECTS),
    (Role.PRONOUN, 2, "we i they everybody"),
    (Role.OPENER, 3, "overall honestly frankly clearly somehow today again"),
    (Role.COPULA, 4, "was felt seemed looked stayed proved"),
    (Role.INTENSIFIER, 4, "really very truly deeply totally simply thoroughly purely"),
    (Role.HEDGE, 3, "quite rather fairly pretty mostly partly"),
    (Role.NEUTRAL, 4, "plain normal standard typical common basic modest regular"),
    (Role.LIKING, 3, "liked loved enjoyed praised treasured recommended"),
    (Role.DISLIKING, 3, "hated disliked regretted resented avoided despised"),
)
# Role, strong or mild, the pool.
_ADJECTIVES: tuple[tuple[Role, bool, str], ...] = (
    (Role.POSITIVE, False, "good nice pleasant decent fine likeable tidy charming cosy lively"),
    (
        Role.POSITIVE,
        True,
        "superb wonderful fantastic perfect brilliant magnificent stunning marvellous",
    ),
    (Role.NEGATIVE, False, "bad poor dull weak shabby drab cramped tired noisy messy"),
    (Role.NEGATIVE, True, "terrible horrible dreadful disgusting vile hideous ghastly pathetic"),
)


@dataclass(frozen=True, eq=False)
class Lexicon:
    """The words of one world.

    words: word of every token id, specials first, V in all.
    role_V: role of every word.
    strong_V: True for the strong adjectives (superb, terrible), False for everything else.
    aspects_TA: token ids of the aspects filed under each topic, in the order of ``of(TOPIC)``.
    """

    words: tuple[str, ...]
    role_V: npt.NDArray[np.int8]
    strong_V: npt.NDArray[np.bool_]
    aspects_TA: npt.NDArray[np.int32]

    def of(self, role: Role) -> npt.NDArray[np.int32]:
        """Token ids of the words that play the role, ascending."""
        return np.flatnonzero(self.role_V == role).astype(np.int32)

    def id(self, word: str) -> int:
        """Token id of the word.

        Raises:
            ValueError: if this world does not use the word.
        """
        return self.words.index(word)


def _draw(pool: list[str], count: int, rng: np.random.Generator) -> list[str]:
    return [pool[int(index)] for index in rng.permutation(len(pool))[:count]]


def draw_lexicon(rng: np.random.Generator) -> Lexicon:
    """The lexicon of one world: words drawn from the pools, in random order of token ids.

    Args:
        rng: source of the draw; equal states give equal lexicons.
    """
    entries = [(word, role, False) for role, words in _FIXED.items() for word in words]
    for role, count, pool in _DRAWN:
        entries += [(word, role, False) for word in _draw(pool.split(), count, rng)]
    for role, strong, pool in _ADJECTIVES:
        drawn = _draw(pool.split(), ADJECTIVES_PER_STRENGTH, rng)
        entries += [(word, role, strong) for word in drawn]
    entries = [entries[int(index)] for index in rng.permutation(len(entries))]
    special = [(word, Role.SPECIAL, False) for word in SPECIALS]
    words, roles, strong_flags = zip(*(special + entries), strict=True)
    role_V = np.array(roles, dtype=np.int8)
    aspects_A = np.flatnonzero(role_V == Role.ASPECT)
    filed_TA = np.stack(
        [
            np.sort(rng.choice(aspects_A, ASPECTS_PER_TOPIC, replace=False))
            for _ in range(TOPICS_OF_WORLD)
        ]
    )
    return Lexicon(
        words=tuple(words),
        role_V=role_V,
        strong_V=np.array(strong_flags, dtype=np.bool_),
        aspects_TA=filed_TA.astype(np.int32),
    )
