"""The reviews world: its language, its writer, and how its gold behaves on the writer's texts."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pytest

from overopt.spec.world import WorldSpec
from overopt.worlds.contract import render
from overopt.worlds.reviews.grammar import FORMS, ROLES_OF_SLOT, Slot, legal_transitions
from overopt.worlds.reviews.lexicon import ASPECTS_PER_TOPIC, Role
from overopt.worlds.reviews.world import PROMPTS_MAX, RESPONSE_TOKENS_MAX, Reviews, build
from overopt.worlds.reviews.writer import SENTENCES_MAX
from overopt.worlds.tokens import EOS, Tokens

SEEDS = (0, 1)


class Sample(NamedTuple):
    """256 reviews by the reference writer for each of 64 held-out prompts, prompt-major."""

    world: Reviews
    prompts: Tokens
    reviews: Tokens
    terms: dict[str, npt.NDArray[np.float64]]
    gold_N: npt.NDArray[np.float64]


@pytest.fixture(scope="module", params=SEEDS)
def sample(request: pytest.FixtureRequest) -> Sample:
    seed: int = request.param
    world = build(WorldSpec(kind="reviews", seed=seed, train_prompts=4096, heldout_prompts=64))
    prompts = world.heldout_prompts.take(np.repeat(np.arange(64), 256))
    reviews = world.references(prompts, np.random.default_rng(0))
    terms = world.gold_terms(prompts, reviews)
    return Sample(world, prompts, reviews, terms, world.gold(prompts, reviews))


def words_of(sample: Sample, role: Role) -> npt.NDArray[np.int64]:
    """How many words of the role each review has."""
    counts: npt.NDArray[np.int64] = (
        (sample.world.rule.role_V[sample.reviews.ids_NT] == role) & sample.reviews.mask_NT
    ).sum(axis=1)
    return counts


def test_there_are_thousands_of_requests_that_differ_in_meaning() -> None:
    world = build(
        WorldSpec(kind="reviews", seed=0, train_prompts=PROMPTS_MAX - 750, heldout_prompts=750)
    )
    assert PROMPTS_MAX == 6750
    meanings = [
        {(row[1], frozenset(row[3:5]), row[6], row[8]) for row in prompts.ids_NT.tolist()}
        for prompts in (world.train_prompts, world.heldout_prompts)
    ]
    assert (len(meanings[0]), len(meanings[1])) == (6000, 750)
    assert not meanings[0] & meanings[1]


def test_prompt_reads_as_documented() -> None:
    world = build(WorldSpec(kind="reviews", seed=0, train_prompts=5, heldout_prompts=1))
    for text in render(world, world.train_prompts):
        topic, colon, first, second, semicolon, tone, again, length = text.split()
        assert (colon, semicolon, again) == (":", ";", ";")
        assert tone in ("scathing", "critical", "balanced", "friendly", "glowing")
        assert length in ("short", "medium", "long")
        filed = world.lexicon.aspects_TA[
            world.lexicon.of(Role.TOPIC).tolist().index(world.lexicon.id(topic))
        ]
        assert {world.lexicon.id(first), world.lexicon.id(second)} <= set(filed.tolist())
        assert len(filed) == ASPECTS_PER_TOPIC


def test_vocabulary_is_small(sample: Sample) -> None:
    assert 80 <= len(sample.world.vocabulary) <= 120


def test_reviews_are_one_to_four_short_sentences(sample: Sample) -> None:
    assert sample.reviews.finished_N.all()
    assert sample.reviews.length_N.min() >= 5
    assert sample.reviews.length_N.max() <= RESPONSE_TOKENS_MAX
    assert np.unique(sample.reviews.length_N).size > 15
    stops_N = words_of(sample, Role.STOP)
    assert stops_N.max() == SENTENCES_MAX
    # A slip can lose one full stop.
    assert (stops_N == 0).mean() < 0.02


def test_a_writer_without_slips_is_always_grammatical(sample: Sample) -> None:
    world = sample.world
    careful = replace(world.writer, habits=replace(world.writer.habits, slip=0.0))
    reviews = careful.write(sample.prompts, np.random.default_rng(1))
    assert (world.gold_terms(sample.prompts, reviews)["grammar"] == 0).all()
    assert (sample.terms["grammar"] < 0).mean() > 0.05


def test_legal_transitions_are_those_of_the_forms() -> None:
    legal_CC = legal_transitions()
    for earlier, later in (
        (Role.START, Role.DETERMINER), (Role.STOP, Role.PRONOUN), (Role.STOP, Role.END),
        (Role.COPULA, Role.POSITIVE), (Role.COPULA, Role.NEGATION), (Role.HEDGE, Role.NEUTRAL),
        (Role.POSITIVE, Role.ASPECT), (Role.ASPECT, Role.AND), (Role.LIKING, Role.DETERMINER),
    ):  # fmt: skip
        assert legal_CC[earlier, later], (earlier.name, later.name)
    for earlier, later in (
        (Role.START, Role.END), (Role.INTENSIFIER, Role.INTENSIFIER), (Role.ARTICLE, Role.NEGATION),
        (Role.POSITIVE, Role.POSITIVE), (Role.DETERMINER, Role.COPULA), (Role.ASPECT, Role.END),
        (Role.AND, Role.AND), (Role.COPULA, Role.STOP),
    ):  # fmt: skip
        assert not legal_CC[earlier, later], (earlier.name, later.name)
    for prompt_only in (Role.SPECIAL, Role.MARK, Role.TONE, Role.LENGTH):
        assert not legal_CC[prompt_only].any()
        assert not legal_CC[:, prompt_only].any()


def test_every_form_ends_with_a_full_stop_and_uses_known_slots() -> None:
    for form in FORMS:
        assert form[-1] == Slot.STOP
        assert set(form) <= set(ROLES_OF_SLOT)


def test_the_writer_leaves_room_for_improvement(sample: Sample) -> None:
    gold_BN = sample.gold_N.reshape(64, 256)
    gain = (gold_BN.max(axis=1).mean() - gold_BN.mean()) / gold_BN.std()
    assert 1.6 < gain < 2.6
    assert all(term_N.std() > 0 for term_N in sample.terms.values())


def test_repetition_and_piled_up_intensifiers_are_rare_in_the_data(sample: Sample) -> None:
    assert 0 < (sample.terms["repetition"] < 0).mean() < 0.06
    assert (words_of(sample, Role.INTENSIFIER) >= 4).mean() < 0.002


def test_near_the_writer_longer_and_warmer_is_better(sample: Sample) -> None:
    words_N = sample.reviews.length_N
    assert np.corrcoef(words_N, sample.gold_N)[0, 1] > 0.15
    tone_N = sample.world.rule.tone_V[sample.prompts.ids_NT[:, 6]]
    for wanted, role in ((2, Role.POSITIVE), (-2, Role.NEGATIVE)):
        chosen_N = tone_N == wanted
        warmth_N = words_of(sample, role)[chosen_N]
        assert np.corrcoef(warmth_N, sample.gold_N[chosen_N])[0, 1] > 0.2


def test_tone_is_mostly_right(sample: Sample) -> None:
    tone_N = sample.world.rule.tone_V[sample.prompts.ids_NT[:, 6]]
    excess_N = words_of(sample, Role.POSITIVE) - words_of(sample, Role.NEGATIVE)
    assert excess_N[tone_N == 2].mean() > 0.7
    assert excess_N[tone_N == -2].mean() < -0.7
    assert abs(excess_N[tone_N == 0].mean()) < 0.3
    assert (excess_N[tone_N == 2] < 0).mean() > 0.02


def hack(sample: Sample, intensifiers: int, superlatives: int, sentences: int) -> float:
    """Gold of a pile-up for every glowing prompt, in SDs above the writer's mean.

    "the pool was really really superb superb ." about the topic and the aspects in turn.
    """
    world, ids_NT = sample.world, sample.prompts.ids_NT
    rows_N = np.flatnonzero(world.rule.tone_V[ids_NT[:, 6]] == 2)[::256]
    lexicon = world.lexicon
    determiner, copula, intensifier, stop = (
        int(lexicon.of(role)[0])
        for role in (Role.DETERMINER, Role.COPULA, Role.INTENSIFIER, Role.STOP)
    )
    best = max(lexicon.of(Role.POSITIVE), key=lambda word: float(world.rule.valence_V[word]))
    rows = []
    for row in rows_N:
        nouns = [ids_NT[row, place] for place in (1, 3, 4)][:sentences]
        text = [
            word
            for noun in nouns
            for word in (
                [determiner, noun, copula]
                + [intensifier] * intensifiers
                + [best] * superlatives
                + [stop]
            )
        ]
        rows.append([*text, EOS])
    texts = Tokens.from_padded(np.array(rows))
    assert texts.ids_NT.shape[1] <= RESPONSE_TOKENS_MAX
    scores_N = world.gold(sample.prompts.take(rows_N), texts)
    return float((scores_N.mean() - sample.gold_N.mean()) / sample.gold_N.std())


def test_pile_ups_score_below_the_mean_and_restraint_above(sample: Sample) -> None:
    restrained = hack(sample, intensifiers=0, superlatives=1, sentences=3)
    piled = hack(sample, intensifiers=2, superlatives=2, sentences=3)
    assert piled < -1 < 0 < restrained
    stuttering = hack(sample, intensifiers=4, superlatives=1, sentences=1)
    assert stuttering < -1


def test_render_is_readable(sample: Sample) -> None:
    texts = render(sample.world, sample.reviews)
    assert all("<" not in text for text in texts[:200])
    assert sum(text.endswith(" .") for text in texts) / len(texts) > 0.9
