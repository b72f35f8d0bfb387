"""The tabular world: complete enumeration, hand-computed gold, exact reference sampling."""

from itertools import pairwise, product
from math import exp, tanh

import numpy as np
import pytest

from overopt.spec.world import WorldSpec
from overopt.worlds.tabular.rule import TableRule, TableWeights
from overopt.worlds.tabular.world import PROMPTS_MAX, Tabular, build, enumerate_responses
from overopt.worlds.tokens import BOS, EOS, PAD, SEP, Tokens

A, B, C, D, E = range(4, 9)


@pytest.fixture(scope="module")
def world() -> Tabular:
    return build(WorldSpec(kind="tabular", seed=0, train_prompts=32, heldout_prompts=16))


def test_small_enumeration_by_hand() -> None:
    listed = enumerate_responses([A, B], 2)
    assert [row[:n] for row, n in zip(listed.ids_NT.tolist(), listed.length_N, strict=True)] == [
        [EOS], [A, EOS], [B, EOS], [A, A], [A, B], [B, A], [B, B],
    ]  # fmt: skip


def test_number_of_responses(world: Tabular) -> None:
    assert world.responses.rows() == 1 + 7 + 49 + 343 + 2401 == 2801
    rows = {tuple(row) for row in world.responses.ids_NT.tolist()}
    assert len(rows) == 2801
    assert world.responses.finished_N.sum() == 1 + 7 + 49 + 343
    assert world.responses.length_N.max() == world.response_tokens_max == 4
    assert PROMPTS_MAX == 125


def test_probabilities_sum_to_one_under_a_random_autoregressive_table(world: Tabular) -> None:
    rng = np.random.default_rng(0)
    size = len(world.vocabulary)
    # Next-token probabilities by the two tokens before and the position; PAD never.
    table = rng.dirichlet(np.full(size - 1, 0.3), size=(size, size, 4))
    table = np.concatenate([np.zeros((size, size, 4, 1)), table], axis=-1)
    padded = np.pad(world.responses.ids_NT, ((0, 0), (2, 0)), constant_values=BOS)
    total_R = np.ones(world.responses.rows())
    for t in range(4):
        step_R = table[padded[:, t], padded[:, t + 1], t, padded[:, t + 2]]
        total_R *= np.where(t < world.responses.length_N, step_R, 1.0)
    assert total_R.sum() == pytest.approx(1.0, abs=1e-12)
    assert (total_R > 0).sum() > 1000


def hand_rule() -> TableRule:
    affinity_JVV = np.zeros((3, 9, 9))
    affinity_JVV[0, A, B] = 1.0
    affinity_JVV[1, A, B] = 0.5
    affinity_JVV[2, C, D] = -2.0
    neighbor_VV = np.zeros((9, 9))
    neighbor_VV[B, D] = 0.25
    neighbor_VV[D, B] = -1.0
    weights = TableWeights(
        affinity=2,
        affinity_scale=3,
        neighbors=4,
        mention=8,
        mention_rest=0.5,
        mentions_from=2,
        parroting=1.5,
        repetition=0.5,
        stray=10,
    )
    return TableRule(affinity_JVV, neighbor_VV, weights)


# affinity, neighbors, mention, repetition, stray; prompt A A C
HAND: dict[tuple[int, ...], tuple[float, ...]] = {
    (EOS,): (0, 0, 0, 0, 0),
    (): (0, 0, 0, 0, 0),
    (B, EOS): (6 * tanh(0.5), 0, 0, 0, 0),
    (D, EOS): (6 * tanh(-2 / 3), 0, 0, 0, 0),
    (B, D, B, EOS): (6 * tanh((3 - 2) / 3), 4 * (0.25 - 1), 0, -0.5, 0),
    (A, C, A, C): (0, 0, 8 * (1 - 1 / 16) - 1.5 * 2, -0.5 * 4, 0),
    (A, A, A, EOS): (0, 0, 8 * (1 - 1 / 8) - 1.5, -0.5 * 4, 0),
    (E, SEP, E, BOS): (0, 0, 0, -0.5, -20),
    (EOS, B, PAD, EOS): (6 * tanh(0.5), 0, 0, 0, -20),
}


@pytest.mark.parametrize(("response", "expected"), HAND.items(), ids=lambda value: str(value))
def test_terms_by_hand(response: tuple[int, ...], expected: tuple[float, ...]) -> None:
    prompt = Tokens.from_padded(np.array([[BOS, A, A, C, SEP]]))
    text = Tokens.from_flat(np.array(response, dtype=np.int32), np.array([len(response)]))
    terms = hand_rule().score_terms(prompt, text)
    assert list(terms) == ["affinity", "neighbors", "mention", "repetition", "stray"]
    found = [float(term_N[0]) for term_N in terms.values()]
    assert found == pytest.approx(list(expected), abs=1e-12)


def test_vectorised_equals_a_slow_reference(world: Tabular) -> None:
    rng = np.random.default_rng(1)
    chosen = world.responses.take(rng.integers(2801, size=300))
    prompts = world.train_prompts.take(rng.integers(32, size=300))
    terms = world.gold_terms(prompts, chosen)
    rule, weights = world.rule, world.rule.weights
    for row in range(300):
        asked = prompts.ids_NT[row, 1:4].tolist()
        body = chosen.ids_NT[row, : chosen.length_N[row]].tolist()
        body = body[:-1] if body[-1] == EOS else body
        words = [token for token in body if token > EOS]
        liking = sum(rule.affinity_JVV[j, asked[j], y] for j, y in product(range(3), body))
        pairs = sum(rule.neighbor_VV[pair] for pair in pairwise(body))
        mentions = sum(word in asked for word in words)
        expected = {
            "affinity": weights.affinity
            * weights.affinity_scale
            * tanh(liking / weights.affinity_scale),
            "neighbors": weights.neighbors * pairs,
            "mention": weights.mention * (1 - weights.mention_rest**mentions)
            - weights.parroting * max(0, mentions - weights.mentions_from),
            "repetition": -weights.repetition * (len(words) - len(set(words))) ** 2,
            "stray": -weights.stray * (len(body) - len(words)),
        }
        assert {name: terms[name][row] for name in terms} == pytest.approx(expected, abs=1e-12)


def test_references_follow_the_stated_distribution(world: Tabular) -> None:
    prompt = world.train_prompts.take(np.array([0]))
    drawn = world.references(
        prompt.take(np.zeros(100_000, dtype=np.int64)), np.random.default_rng(2)
    )
    plain = [
        (row[:n], n)
        for row, n in zip(world.responses.ids_NT.tolist(), world.responses.length_N, strict=True)
        if BOS not in row and SEP not in row
    ]
    assert len(plain) == 781
    texts = Tokens.from_flat(
        np.array([token for row, _ in plain for token in row]), np.array([n for _, n in plain])
    )
    taste = sum(world.taste.score_terms(prompt.take(np.zeros(781, dtype=np.int64)), texts).values())
    z = (np.array(taste) - np.mean(taste)) / np.std(taste)
    shares = (0.02, 0.18, 0.25, 0.3, 0.25)
    words = [len([token for token in row if token > EOS]) for row, _ in plain]
    weight = np.array(
        [
            shares[k] / 5**k * exp(world.reference_strength * x)
            for k, x in zip(words, z, strict=True)
        ]
    )
    expected = weight / weight.sum()
    index = {tuple(row): place for place, (row, _) in enumerate(plain)}
    counts = np.zeros(781)
    for row, n in zip(drawn.ids_NT.tolist(), drawn.length_N, strict=True):
        counts[index[tuple(row[:n])]] += 1
    # Total variation of 100,000 draws over 781 cells is about 0.5 sqrt(2/pi) sum sqrt(p/n) ~ 0.03.
    assert np.abs(counts / 100_000 - expected).sum() / 2 < 0.04


def test_the_initial_policy_is_sensible_but_not_optimal(world: Tabular) -> None:
    rows, draws = 16, 512
    prompts = world.heldout_prompts.take(np.repeat(np.arange(rows), draws))
    text = world.references(prompts, np.random.default_rng(3))
    gold_BN = world.gold(prompts, text).reshape(rows, draws)
    everything = world.gold(
        world.heldout_prompts.take(np.repeat(np.arange(rows), 2801)),
        world.responses.take(np.tile(np.arange(2801), rows)),
    ).reshape(rows, 2801)
    sd = gold_BN.std()
    assert (gold_BN.mean() - everything.mean()) / sd > 1
    assert 1.5 < (everything.max(axis=1).mean() - gold_BN.mean()) / sd < 4
    terms = world.gold_terms(prompts, text)
    assert (terms["repetition"] < 0).mean() < 0.4
    assert (terms["stray"] == 0).all()
