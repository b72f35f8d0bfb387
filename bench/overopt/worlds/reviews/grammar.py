"""The sentences of a reviews world: seven forms, and the word-class bigrams that they make legal.

The writer fills the forms with words; the rule asks of each pair of neighboring words whether
some form could have put them side by side. Both read the one table below.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
import numpy.typing as npt

from overopt.worlds.reviews.lexicon import Role


class Slot(IntEnum):
    """A place in a sentence form; modifiers may stay empty, BLANK always does."""

    BLANK = 0
    DETERMINER = 1
    TOPIC = 2
    HAD = 3
    ARTICLE = 4
    MODIFIER_1 = 5
    ADJECTIVE_1 = 6
    ASPECT_1 = 7
    AND = 8
    BUT = 9
    MODIFIER_2 = 10
    ADJECTIVE_2 = 11
    ASPECT_2 = 12
    COPULA = 13
    PRONOUN = 14
    VERB = 15
    OPENER = 16
    STOP = 17


FORMS: tuple[tuple[Slot, ...], ...] = (
    # the hotel had a really superb pool .
    (Slot.DETERMINER, Slot.TOPIC, Slot.HAD, Slot.ARTICLE, Slot.MODIFIER_1, Slot.ADJECTIVE_1,
     Slot.ASPECT_1, Slot.STOP),
    # the hotel had a superb pool and a rather dull lobby .
    (Slot.DETERMINER, Slot.TOPIC, Slot.HAD, Slot.ARTICLE, Slot.MODIFIER_1, Slot.ADJECTIVE_1,
     Slot.ASPECT_1, Slot.AND, Slot.ARTICLE, Slot.MODIFIER_2, Slot.ADJECTIVE_2, Slot.ASPECT_2,
     Slot.STOP),
    # overall the hotel was superb .
    (Slot.OPENER, Slot.DETERMINER, Slot.TOPIC, Slot.COPULA, Slot.MODIFIER_1, Slot.ADJECTIVE_1,
     Slot.STOP),
    # the pool was not bad .
    (Slot.DETERMINER, Slot.ASPECT_1, Slot.COPULA, Slot.MODIFIER_1, Slot.ADJECTIVE_1, Slot.STOP),
    # the pool was nice and really tidy .
    (Slot.DETERMINER, Slot.ASPECT_1, Slot.COPULA, Slot.MODIFIER_1, Slot.ADJECTIVE_1, Slot.AND,
     Slot.MODIFIER_2, Slot.ADJECTIVE_2, Slot.STOP),
    # we loved the pool .
    (Slot.PRONOUN, Slot.VERB, Slot.DETERMINER, Slot.ASPECT_1, Slot.STOP),
    # the pool was superb but the lobby was dull .
    (Slot.DETERMINER, Slot.ASPECT_1, Slot.COPULA, Slot.MODIFIER_1, Slot.ADJECTIVE_1, Slot.BUT,
     Slot.DETERMINER, Slot.ASPECT_2, Slot.COPULA, Slot.MODIFIER_2, Slot.ADJECTIVE_2, Slot.STOP),
)  # fmt: skip

_MODIFIERS = (Slot.MODIFIER_1, Slot.MODIFIER_2)
_GRADING = (Role.INTENSIFIER, Role.HEDGE)
_ADJECTIVES = (Role.POSITIVE, Role.NEUTRAL, Role.NEGATIVE)

ROLES_OF_SLOT: dict[Slot, tuple[Role, ...]] = {
    Slot.DETERMINER: (Role.DETERMINER,),
    Slot.TOPIC: (Role.TOPIC,),
    Slot.HAD: (Role.HAD,),
    Slot.ARTICLE: (Role.ARTICLE,),
    Slot.MODIFIER_1: (*_GRADING, Role.NEGATION),
    Slot.ADJECTIVE_1: _ADJECTIVES,
    Slot.ASPECT_1: (Role.ASPECT,),
    Slot.AND: (Role.AND,),
    Slot.BUT: (Role.BUT,),
    Slot.MODIFIER_2: (*_GRADING, Role.NEGATION),
    Slot.ADJECTIVE_2: _ADJECTIVES,
    Slot.ASPECT_2: (Role.ASPECT,),
    Slot.COPULA: (Role.COPULA,),
    Slot.PRONOUN: (Role.PRONOUN,),
    Slot.VERB: (Role.LIKING, Role.DISLIKING),
    Slot.OPENER: (Role.OPENER,),
    Slot.STOP: (Role.STOP,),
}


def has_slot(slot: Slot) -> npt.NDArray[np.bool_]:
    """Which of the forms contain the slot, (F,)."""
    return np.array([slot in form for form in FORMS])


def table_of_forms() -> npt.NDArray[np.int64]:
    """The forms as one array of slots, (F, longest form), filled up with BLANK."""
    width = max(len(form) for form in FORMS)
    return np.array([[*form, *[Slot.BLANK] * (width - len(form))] for form in FORMS])


def legal_transitions() -> npt.NDArray[np.bool_]:
    """Which role may follow which, (C, C), row = earlier: those pairs that some form contains.

    A modifier may be left out; "not" never follows the article ("a not bad pool"). A response
    starts as a sentence starts, and a full stop is followed by another sentence or by the end.
    """
    legal_CC = np.zeros((len(Role), len(Role)), dtype=np.bool_)
    for form in FORMS:
        before: tuple[tuple[Role, ...], ...] = ((Role.START, Role.STOP),)
        for slot in form:
            roles = ROLES_OF_SLOT[slot]
            for earlier_roles in before:
                after_article = Role.ARTICLE in earlier_roles
                allowed = _GRADING if slot in _MODIFIERS and after_article else roles
                legal_CC[np.ix_(earlier_roles, allowed)] = True
            before = (*before, roles) if slot in _MODIFIERS else (roles,)
    legal_CC[Role.STOP, Role.END] = True
    return legal_CC
