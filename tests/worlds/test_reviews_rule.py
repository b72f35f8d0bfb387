"""The rule gold of a reviews world against hand computation and a slow reference."""

from collections import Counter
from dataclasses import replace
from itertools import pairwise
from math import exp

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overopt.errors import UserError
from overopt.worlds.reviews.grammar import legal_transitions
from overopt.worlds.reviews.lexicon import Role
from overopt.worlds.reviews.rule import CONTENT_ROLES, ReviewRule, RuleWeights
from overopt.worlds.tokens import BOS, EOS, SEP, SPECIALS, Tokens

# word, role, valence, tone asked for, words asked for
TABLE: tuple[tuple[str, Role, float, int, int], ...] = (
    *((word, Role.SPECIAL, 0.0, 0, 0) for word in SPECIALS),
    (":", Role.MARK, 0, 0, 0),
    (";", Role.MARK, 0, 0, 0),
    ("glowing", Role.TONE, 0, 2, 0),
    ("friendly", Role.TONE, 0, 1, 0),
    ("balanced", Role.TONE, 0, 0, 0),
    ("scathing", Role.TONE, 0, -2, 0),
    ("short", Role.LENGTH, 0, 0, 8),
    ("hotel", Role.TOPIC, 0, 0, 0),
    ("cafe", Role.TOPIC, 0, 0, 0),
    ("pool", Role.ASPECT, 0, 0, 0),
    ("staff", Role.ASPECT, 0, 0, 0),
    ("menu", Role.ASPECT, 0, 0, 0),
    ("the", Role.DETERMINER, 0, 0, 0),
    ("was", Role.COPULA, 0, 0, 0),
    ("really", Role.INTENSIFIER, 0, 0, 0),
    ("rather", Role.HEDGE, 0, 0, 0),
    ("not", Role.NEGATION, 0, 0, 0),
    ("superb", Role.POSITIVE, 2, 0, 0),
    ("nice", Role.POSITIVE, 1, 0, 0),
    ("bad", Role.NEGATIVE, -1, 0, 0),
    ("and", Role.AND, 0, 0, 0),
    (".", Role.STOP, 0, 0, 0),
)
WORDS = [row[0] for row in TABLE]
WEIGHTS = RuleWeights(
    sentiment=2,
    sentiment_scale=(1, 2, 4),
    gushing_from=(3, 3, 5),
    gushing=0.5,
    intensifier=1.5,
    hedge=0.5,
    negation=-0.5,
    relevance=3,
    relevance_rest=0.5,
    stray=0.25,
    grammar=4,
    unfinished=0.5,
    repetition=8,
    bigram_share=0.5,
    repetition_power=2,
    consistency=0.4,
    length=1,
)
RULE = ReviewRule(
    role_V=np.array([row[1] for row in TABLE], dtype=np.int8),
    valence_V=np.array([row[2] for row in TABLE], dtype=np.float64),
    tone_V=np.array([row[3] for row in TABLE], dtype=np.int8),
    wanted_words_V=np.array([row[4] for row in TABLE], dtype=np.int32),
    legal_CC=legal_transitions(),
    weights=WEIGHTS,
)
TERMS = ("sentiment", "relevance", "grammar", "repetition", "consistency", "length")


def read(*texts: str) -> Tokens:
    """Tokens of texts; a response is written with its <eos>."""
    rows = [[WORDS.index(word) for word in text.split()] for text in texts]
    flat = np.array([token for row in rows for token in row], dtype=np.int32)
    return Tokens.from_flat(flat, np.array([len(row) for row in rows]))


def ask(tone: str) -> Tokens:
    return read(f"<bos> hotel : pool staff ; {tone} ; short <sep>")


def score(tone: str, response: str) -> dict[str, float]:
    terms = RULE.score_terms(ask(tone), read(response))
    assert tuple(terms) == TERMS
    return {name: float(term_N[0]) for name, term_N in terms.items()}


# Six numbers in the order of TERMS.
HAND: dict[tuple[str, str], tuple[float, ...]] = {
    # A = 2 x 1.5 = 3 of scale 4; one of three mentions, half known; 6 words of 8 wanted.
    ("glowing", "the pool was really superb . <eos>"): (
        2 * (1 - exp(-0.75)), 0.5, 0, 0, 0, -0.0625,
    ),
    # A = 3 + 2 + 2 = 7, two beyond 5; two words and two pairs again, so 3 repeats in 10 words.
    ("glowing", "the pool was really superb and superb and superb . <eos>"): (
        2 * (1 - exp(-1.75)) - 1, 0.5, 0, -0.72, 0, -0.0625,
    ),
    # No bigram of five is legal, no EOS; C = 1; pool twice leaves a quarter unknown.
    ("glowing", "pool bad <sep> pool"): (-2 * (1 - exp(-0.25)), 0.75, -4.5, -0.5, 0, -0.25),
    # Only EOS, and nothing at all: start -> end is the one, illegal transition.
    ("glowing", "<eos>"): (0, 0, -4.5, 0, 0, -1),
    ("glowing", ""): (0, 0, -4.5, 0, 0, -1),
    # Legal throughout, but cut before EOS: . -> end is legal, unfinished is not.
    ("glowing", "the staff was nice ."): (2 * (1 - exp(-0.25)), 0.5, -0.5, 0, 0, -9 / 64),
    # "not bad" is worth half a "nice"; "rather nice" too, about a menu that nobody asked for.
    ("friendly", "the staff was not bad . <eos>"): (2 * (1 - exp(-0.25)), 0.5, 0, 0, 0, -0.0625),
    ("friendly", "the menu was rather nice . <eos>"): (
        2 * (1 - exp(-0.25)), -0.25, 0, 0, 0, -0.0625,
    ),
    # The same words please whoever wants balance, and contradict each other for anyone else.
    ("balanced", "the pool was nice and bad . <eos>"): (2 * (1 - exp(-2)), 0.5, 0, 0, 0, -1 / 64),
    ("glowing", "the pool was nice and bad . <eos>"): (0, 0.5, 0, 0, -0.4, -1 / 64),
    ("balanced", "the pool was superb . <eos>"): (-2 * (1 - exp(-2)), 0.5, 0, 0, -0.4, -9 / 64),
    # The tone the other way round.
    ("scathing", "the pool was superb . <eos>"): (-2 * (1 - exp(-0.5)), 0.5, 0, 0, 0, -9 / 64),
    # One of nine transitions, really -> really, is illegal; one word of eight again.
    ("glowing", "the hotel was really really nice and nice <eos>"): (
        2 * (1 - exp(-2.5 / 4)), 0.5, -4 * 2 / 9 - 0.5, -8 * (2 / 8) ** 2, 0, 0,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("case", "expected"), HAND.items(), ids=lambda value: str(value[0]))
def test_terms_by_hand(case: tuple[str, str], expected: tuple[float, ...]) -> None:
    assert tuple(score(*case).values()) == pytest.approx(expected, abs=1e-12)


def slow_terms(prompt: list[str], response: list[str]) -> tuple[float, ...]:
    """The six terms of one response, word by word, straight from the formulas."""
    role = {word: role for word, role, *_ in TABLE}
    valence = {word: value for word, _, value, *_ in TABLE}
    tone = next(asked for word, _, _, asked, _ in TABLE if word == prompt[6])
    finished = bool(response) and response[-1] == "<eos>"
    words = response[:-1] if finished else response
    n = len(words)
    factor = {
        Role.INTENSIFIER: WEIGHTS.intensifier,
        Role.HEDGE: WEIGHTS.hedge,
        Role.NEGATION: WEIGHTS.negation,
    }
    positive = negative = 0.0
    for index, word in enumerate(words):
        before = role[words[index - 1]] if index else Role.START
        value = valence[word] * factor.get(before, 1.0)
        positive, negative = positive + max(value, 0), negative + max(-value, 0)
    toward, against = (positive, negative) if tone > 0 else (negative, positive)
    clash = min(positive, negative)
    if tone == 0:
        toward, against = 2 * min(positive, negative), abs(positive - negative)
        clash = against / 2
    scale, limit = WEIGHTS.sentiment_scale[abs(tone)], WEIGHTS.gushing_from[abs(tone)]
    sentiment = WEIGHTS.sentiment * ((1 - exp(-toward / scale)) - (1 - exp(-against / scale)))
    sentiment -= WEIGHTS.gushing * max(0, toward - limit)
    asked = [prompt[1], prompt[3], prompt[4]]
    relevance = sum(1 - WEIGHTS.relevance_rest ** words.count(word) for word in asked)
    relevance *= WEIGHTS.relevance / 3
    nouns = [word for word in words if role[word] in (Role.TOPIC, Role.ASPECT)]
    relevance -= WEIGHTS.stray * sum(word not in asked for word in nouns)
    path = [Role.START, *(role[word] for word in words), Role.END]
    steps = list(pairwise(path))
    legal = sum(bool(RULE.legal_CC[step]) for step in steps)
    grammar = -WEIGHTS.grammar * (1 - legal / (n + 1))
    grammar -= WEIGHTS.unfinished * (not (finished and n > 0 and words[-1] == "."))
    content = [word for word in words if role[word] in CONTENT_ROLES]
    pairs = [
        pair
        for pair in pairwise(words)
        if role[pair[0]] in CONTENT_ROLES or role[pair[1]] in CONTENT_ROLES
    ]
    repeats = sum(count - 1 for count in Counter(content).values())
    repeats_2 = sum(count - 1 for count in Counter(pairs).values())
    rate = (repeats + WEIGHTS.bigram_share * repeats_2) / max(n, 1)
    return (
        sentiment,
        relevance,
        grammar,
        -WEIGHTS.repetition * rate**WEIGHTS.repetition_power,
        -WEIGHTS.consistency * clash,
        -WEIGHTS.length * ((n - 8) / 8) ** 2,
    )


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_vectorised_equals_the_slow_reference(seed: int) -> None:
    rng = np.random.default_rng(seed)
    tones = [["glowing", "friendly", "balanced", "scathing"][i] for i in rng.integers(4, size=20)]
    prompts = read(*(f"<bos> hotel : pool staff ; {tone} ; short <sep>" for tone in tones))
    length_N = rng.integers(0, 13, size=20)
    # Few distinct words, so that repeats and legal bigrams are frequent.
    some = rng.choice(len(WORDS), size=rng.integers(2, len(WORDS)), replace=False)
    soup = Tokens.from_flat(rng.choice(some, length_N.sum()), length_N)
    terms = RULE.score_terms(prompts, soup)
    for row in range(20):
        response = [WORDS[i] for i in soup.ids_NT[row, : soup.length_N[row]]]
        prompt = [WORDS[i] for i in prompts.ids_NT[row]]
        found = tuple(float(terms[name][row]) for name in TERMS)
        assert found == pytest.approx(slow_terms(prompt, response), abs=1e-12)


@given(st.integers(1, 8))
def test_each_repetition_costs_more_than_the_one_before(times: int) -> None:
    text = " ".join(["the pool was nice"] + ["and nice"] * 10)
    words = text.split()

    def repetition(count: int) -> float:
        # Same length, so that only the number of repeats changes.
        kept = [word if index < 4 + 2 * count else "and" for index, word in enumerate(words)]
        return score("glowing", " ".join(kept))["repetition"]

    earlier, now, later = (repetition(times + step) for step in (-1, 0, 1))
    assert later < now < earlier
    assert now - later > earlier - now


def test_gushing_rises_then_falls() -> None:
    values = [
        score("glowing", "the pool was superb " + "and superb " * more + ". <eos>")["sentiment"]
        for more in range(8)
    ]
    peak = int(np.argmax(values))
    assert 0 < peak < 4
    assert values[: peak + 1] == sorted(values[: peak + 1])
    assert values[peak:] == sorted(values[peak:], reverse=True)
    assert values[-1] < values[0]


def test_right_tone_beats_wrong_tone() -> None:
    praise, blame = "the pool was superb . <eos>", "the pool was bad . <eos>"
    assert score("glowing", praise)["sentiment"] > 0 > score("glowing", blame)["sentiment"]
    assert score("scathing", blame)["sentiment"] > 0 > score("scathing", praise)["sentiment"]


def test_blocks_do_not_show() -> None:
    prompts = ask("glowing").take(np.zeros(16_390, dtype=np.int64))
    texts = read("the pool was nice . <eos>", "the pool was bad and nice . <eos>")
    gold_N = RULE.score_terms(prompts, texts.take(np.arange(16_390) % 2))["sentiment"]
    assert gold_N.shape == (16_390,)
    assert np.unique(gold_N[::2]).size == np.unique(gold_N[1::2]).size == 1
    assert gold_N[0] != gold_N[1]


def test_weights_scale_their_terms() -> None:
    doubled = replace(RULE, weights=replace(WEIGHTS, length=2))
    text = read("the pool was nice . <eos>")
    once, twice = (rule.score_terms(ask("glowing"), text)["length"] for rule in (RULE, doubled))
    assert twice[0] == 2 * once[0] < 0


@pytest.mark.parametrize(
    "row",
    [
        [BOS, 11, 4, 13, 14, 5, 6, 5, 10, EOS],
        [BOS, 13, 4, 13, 14, 5, 6, 5, 10, SEP],
        [BOS, 11, 4, 13, 14, 5, 6, 5, 99, SEP],
    ],
)
def test_a_foreign_prompt_is_refused(row: list[int]) -> None:
    with pytest.raises(UserError, match="prompt does not belong"):
        RULE.score_terms(Tokens.from_padded(np.array([row])), read("the pool was nice . <eos>"))
