"""The reference writer of a reviews world: a mediocre human whom the initial policy imitates.

Mostly on topic and in the right tone, now and then about the wrong aspect, misreading the tone,
repeating a word, losing one, or writing less than was asked. Pile-ups of praise do not occur, so
that a proxy trained on such texts has not seen them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from overopt.worlds.reviews.grammar import FORMS, Slot, has_slot, table_of_forms
from overopt.worlds.reviews.lexicon import Lexicon, Role
from overopt.worlds.reviews.rule import ReviewRule, read_wish
from overopt.worlds.tokens import EOS, PAD, Tokens

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

SENTENCES_MAX = 4
_POLARITIES = (Role.POSITIVE, Role.NEUTRAL, Role.NEGATIVE)
_POSITIVE, _NEGATIVE = 0, 2


@dataclass(frozen=True, eq=False)
class Habits:
    """Probabilities of the writer's choices, drawn from the world's seed.

    opening_WF: form of the first sentence, by |tone| = 0, 1, 2.
    following_WF: form of every later sentence, by |tone|.
    polarity_G3: positive, neutral, negative words for a felt tone of -2 .. 2.
    modifier_4: no modifier, intensifier, hedge, "not".
    misread_tone: probability that the tone is felt one or two steps off.
    aspect_bonus: log odds with which an aspect asked for is taken before another one.
    strong_bonus: log odds per step of |tone| with which a strong adjective is taken.
    wrong_topic: probability of naming another topic.
    repeat: probability that an adjective slot repeats the first adjective of its kind.
    slip: probability that one word is lost.
    log_length_bias, log_length_sd: of the log ratio of intended to wanted number of words.
    """

    opening_WF: Floats
    following_WF: Floats
    polarity_G3: Floats
    modifier_4: Floats
    misread_tone: float
    aspect_bonus: float
    strong_bonus: float
    wrong_topic: float
    repeat: float
    slip: float
    log_length_bias: float
    log_length_sd: float


def draw_habits(rng: np.random.Generator) -> Habits:
    """Habits around sensible centers: Dirichlet probabilities, scalars within about 15 %."""

    def jitter(center: float) -> float:
        return float(center * np.exp(0.12 * rng.standard_normal()))

    def shares(*centers: float) -> Floats:
        return rng.dirichlet(60 * np.array(centers) / sum(centers))

    # Order of forms: had one, had two, overall, plain, plain pair, we loved, contrast.
    opening = [shares(*row) for row in ((2, 3, 2, 2, 1, 1, 4), *2 * ((3, 4, 3, 3, 2, 2, 0.5),))]
    following = [shares(*row) for row in ((1, 1, 2, 3, 2, 2, 4), *2 * ((1, 1, 2, 4, 3, 3, 0.5),))]
    upbeat, cheerful = shares(0.80, 0.11, 0.09), shares(0.68, 0.19, 0.13)
    downbeat, gloomy = shares(0.09, 0.11, 0.80), shares(0.13, 0.19, 0.68)
    return Habits(
        opening_WF=np.stack(opening),
        following_WF=np.stack(following),
        polarity_G3=np.stack([downbeat, gloomy, shares(0.42, 0.2, 0.38), cheerful, upbeat]),
        modifier_4=shares(0.62, 0.15, 0.16, 0.07),
        misread_tone=jitter(0.18),
        aspect_bonus=jitter(2.4),
        strong_bonus=jitter(0.6),
        wrong_topic=jitter(0.04),
        repeat=jitter(0.04),
        slip=jitter(0.15),
        log_length_bias=-jitter(0.25),
        log_length_sd=jitter(0.35),
    )


class Plan(NamedTuple):
    """What N reviews are made of: form, presence and modifiers of each of S sentences."""

    form_NS: Integers
    kept_NS: Flags
    modifier_NS2: Integers


@dataclass(frozen=True, eq=False)
class ReviewWriter:
    """Writes one review per prompt.

    lexicon: the world's words.
    habits: the writer's probabilities.
    rule: tables that say what tone and length words ask for.
    words_max: longest review, EOS not counted.
    """

    lexicon: Lexicon
    habits: Habits
    rule: ReviewRule
    words_max: int

    def write(self, prompts: Tokens, rng: np.random.Generator) -> Tokens:
        """One review with EOS for each of the N prompts.

        Raises:
            UserError: if a prompt is not one of this world's.
        """
        wish_N5 = read_wish(self.lexicon.role_V, prompts)
        tone_N = self.rule.tone_V[wish_N5[:, 3]].astype(np.int64)
        wanted_N = self.rule.wanted_words_V[wish_N5[:, 4]].astype(np.int64)
        felt_N = self._feel(tone_N, rng)
        plan = self._plan(np.abs(tone_N), wanted_N, rng)
        fill_NSK = self._fill(plan, wish_N5, felt_N, rng)
        slots_NSW = table_of_forms()[plan.form_NS]
        ids_NSW = np.take_along_axis(fill_NSK, slots_NSW, axis=2)
        ids_NSW = np.where(plan.kept_NS[:, :, None], ids_NSW, PAD)
        return self._finish(ids_NSW.reshape(len(ids_NSW), -1), rng)

    def _feel(self, tone_N: Integers, rng: np.random.Generator) -> Integers:
        misread_N = rng.random(len(tone_N)) < self.habits.misread_tone
        step_N = rng.choice([-2, -1, 1, 2], size=len(tone_N), p=[0.15, 0.35, 0.35, 0.15])
        felt_N: Integers = np.clip(tone_N + misread_N * step_N, -2, 2)
        return felt_N

    def _plan(self, strength_N: Integers, wanted_N: Integers, rng: np.random.Generator) -> Plan:
        rows = len(strength_N)
        names_topic_F = has_slot(Slot.TOPIC)
        forms = []
        named_N = np.zeros(rows, dtype=np.bool_)
        for sentence in range(SENTENCES_MAX):
            shares_WF = self.habits.following_WF if sentence else self.habits.opening_WF
            shares_NF = shares_WF[strength_N] * ~(names_topic_F & named_N[:, None])
            forms.append(_choose(shares_NF, rng))
            named_N = named_N | names_topic_F[forms[-1]]
        form_NS = np.stack(forms, axis=1)
        modifier_NS2 = rng.choice(4, size=(rows, SENTENCES_MAX, 2), p=self.habits.modifier_4)
        slots_F2 = np.stack([has_slot(Slot.MODIFIER_1), has_slot(Slot.MODIFIER_2)], axis=1)
        modifier_NS2 = modifier_NS2 * slots_F2[form_NS]
        # "a not bad pool" is no English: after the article the writer leaves "not" out.
        attributive_NS = has_slot(Slot.ARTICLE)[form_NS]
        modifier_NS2[(modifier_NS2 == 3) & attributive_NS[:, :, None]] = 0
        empty_slots_F = slots_F2.sum(axis=1)
        full_F = np.array([len(form) for form in FORMS])
        words_NS = (full_F - empty_slots_F)[form_NS] + (modifier_NS2 > 0).sum(axis=2)
        end_NS = words_NS.cumsum(axis=1)
        noise_N = rng.normal(self.habits.log_length_bias, self.habits.log_length_sd, rows)
        intended_N = wanted_N * np.exp(noise_N)
        kept_NS = (end_NS - words_NS / 2 <= intended_N[:, None]) & (end_NS <= self.words_max)
        kept_NS[:, 0] = True
        kept_NS = np.logical_and.accumulate(kept_NS, axis=1)
        return Plan(form_NS, kept_NS, modifier_NS2)

    def _fill(
        self, plan: Plan, wish_N5: npt.NDArray[np.int32], felt_N: Integers, rng: np.random.Generator
    ) -> Integers:
        """The word for every slot of every sentence, (N, S, slots); PAD for an empty modifier."""
        shape = plan.form_NS.shape
        fill_NSK = np.zeros((*shape, len(Slot)), dtype=np.int64)
        for slot, role in (
            (Slot.DETERMINER, Role.DETERMINER), (Slot.HAD, Role.HAD), (Slot.ARTICLE, Role.ARTICLE),
            (Slot.AND, Role.AND), (Slot.BUT, Role.BUT), (Slot.COPULA, Role.COPULA),
            (Slot.PRONOUN, Role.PRONOUN), (Slot.STOP, Role.STOP),
        ):  # fmt: skip
            fill_NSK[:, :, slot] = rng.choice(self.lexicon.of(role), size=shape)
        fill_NSK[:, :, Slot.OPENER] = self._deal(Role.OPENER, shape, rng)
        fill_NSK[:, :, Slot.TOPIC] = self._topic(wish_N5[:, 0], rng)[:, None]
        aspects_NS2 = self._aspects(plan, wish_N5, rng)
        fill_NSK[:, :, [Slot.ASPECT_1, Slot.ASPECT_2]] = aspects_NS2
        polarity_NS2, adjectives_NS2 = self._adjectives(plan, felt_N, rng)
        fill_NSK[:, :, [Slot.ADJECTIVE_1, Slot.ADJECTIVE_2]] = adjectives_NS2
        fill_NSK[:, :, [Slot.MODIFIER_1, Slot.MODIFIER_2]] = self._modifiers(plan, rng)
        disliked_NS = polarity_NS2[:, :, 0] == _NEGATIVE
        fill_NSK[:, :, Slot.VERB] = np.where(
            disliked_NS, self._deal(Role.DISLIKING, shape, rng), self._deal(Role.LIKING, shape, rng)
        )
        return fill_NSK

    def _deal(self, role: Role, shape: tuple[int, ...], rng: np.random.Generator) -> Integers:
        """Words of the role without repetition within a row, as long as they last."""
        words = self.lexicon.of(role)
        order = rng.random((shape[0], len(words))).argsort(axis=1)
        columns = np.arange(int(np.prod(shape[1:]))) % len(words)
        dealt: Integers = words[order[:, columns]].reshape(shape).astype(np.int64)
        return dealt

    def _topic(self, topic_N: npt.NDArray[np.int32], rng: np.random.Generator) -> Integers:
        other_N = rng.choice(self.lexicon.of(Role.TOPIC), size=len(topic_N))
        wrong_N = rng.random(len(topic_N)) < self.habits.wrong_topic
        return np.where(wrong_N, other_N, topic_N).astype(np.int64)

    def _aspects(
        self, plan: Plan, wish_N5: npt.NDArray[np.int32], rng: np.random.Generator
    ) -> Integers:
        """Aspects of each sentence, (N, S, 2): a noisy ranking in which the wanted ones lead."""
        topic_N = np.searchsorted(self.lexicon.of(Role.TOPIC), wish_N5[:, 0])
        filed_NA = self.lexicon.aspects_TA[topic_N]
        wanted_NA = (filed_NA[:, :, None] == wish_N5[:, None, 1:3]).any(axis=2)
        key_NA = rng.gumbel(size=filed_NA.shape) + self.habits.aspect_bonus * wanted_NA
        agenda_NA = np.take_along_axis(filed_NA, np.argsort(-key_NA, axis=1), axis=1)
        slots_F2 = np.stack([has_slot(Slot.ASPECT_1), has_slot(Slot.ASPECT_2)], axis=1)
        used_NU = slots_F2[plan.form_NS].reshape(len(topic_N), -1)
        turn_NU = np.maximum(used_NU.cumsum(axis=1) - 1, 0)
        aspects_NU = np.take_along_axis(agenda_NA, turn_NU, axis=1)
        return aspects_NU.reshape(*plan.form_NS.shape, 2).astype(np.int64)

    def _adjectives(
        self, plan: Plan, felt_N: Integers, rng: np.random.Generator
    ) -> tuple[Integers, Integers]:
        """Polarity meant and adjective of each slot, each (N, S, 2)."""
        shape = (*plan.form_NS.shape, 2)
        shares_N3 = self.habits.polarity_G3[felt_N + 2]
        meant_NS2 = _choose(np.broadcast_to(shares_N3[:, None, None], (*shape, 3)), rng)
        contrast_NS = has_slot(Slot.BUT)[plan.form_NS]
        meant_NS2[:, :, 1] = np.where(contrast_NS, 2 - meant_NS2[:, :, 0], meant_NS2[:, :, 1])
        worded_NS2 = np.where(plan.modifier_NS2 == 3, 2 - meant_NS2, meant_NS2)
        slots_F2 = np.stack([has_slot(Slot.ADJECTIVE_1), has_slot(Slot.ADJECTIVE_2)], axis=1)
        used_NU = slots_F2[plan.form_NS].reshape(len(felt_N), -1)
        repeat_NU = rng.random(used_NU.shape) < self.habits.repeat
        worded_NU = worded_NS2.reshape(used_NU.shape)
        words_NU = np.zeros(used_NU.shape, dtype=np.int64)
        for polarity, role in enumerate(_POLARITIES):
            of_role_NU = worded_NU == polarity
            turn_NU = np.maximum((used_NU & of_role_NU).cumsum(axis=1) - 1, 0)
            turn_NU = np.where(repeat_NU, 0, turn_NU)
            agenda_NA = self._rank(role, np.abs(felt_N), rng)
            dealt_NU = np.take_along_axis(agenda_NA, turn_NU % agenda_NA.shape[1], axis=1)
            words_NU = np.where(of_role_NU, dealt_NU, words_NU)
        return meant_NS2, words_NU.reshape(shape)

    def _rank(self, role: Role, strength_N: Integers, rng: np.random.Generator) -> Integers:
        """Adjectives of the role in the order in which each writer would use them, (N, words)."""
        words = self.lexicon.of(role)
        lean_N = self.habits.strong_bonus * (2.0 * strength_N - 3)
        key_NA = rng.gumbel(size=(len(strength_N), len(words)))
        key_NA += lean_N[:, None] * self.lexicon.strong_V[words]
        ranked: Integers = words[np.argsort(-key_NA, axis=1)].astype(np.int64)
        return ranked

    def _modifiers(self, plan: Plan, rng: np.random.Generator) -> Integers:
        shape = plan.modifier_NS2.shape
        return np.select(
            [plan.modifier_NS2 == kind for kind in (1, 2, 3)],
            [
                self._deal(role, shape, rng)
                for role in (Role.INTENSIFIER, Role.HEDGE, Role.NEGATION)
            ],
            PAD,
        )

    def _finish(self, ids_NW: Integers, rng: np.random.Generator) -> Tokens:
        """Words closed up, now and then one of them lost, EOS added."""
        word_NW = ids_NW != PAD
        words_N = word_NW.sum(axis=1)
        lost_N = np.where(rng.random(len(words_N)) < self.habits.slip, rng.integers(0, words_N), -1)
        word_NW &= word_NW.cumsum(axis=1) - 1 != lost_N[:, None]
        ended_NW = np.column_stack([ids_NW, np.full(len(ids_NW), EOS)])
        kept_NW = np.column_stack([word_NW, np.ones(len(ids_NW), dtype=np.bool_)])
        return Tokens.from_flat(ended_NW[kept_NW], kept_NW.sum(axis=1))


def _choose(shares: Floats, rng: np.random.Generator) -> Integers:
    """One index along the last axis for each row of unnormalized probabilities."""
    edges = shares.cumsum(axis=-1)
    drawn = rng.random(shares.shape[:-1]) * edges[..., -1]
    chosen: Integers = (drawn[..., None] >= edges[..., :-1]).sum(axis=-1)
    return chosen
