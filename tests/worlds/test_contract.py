"""What holds in every world, whatever its language."""

import zlib

import numpy as np
import pytest

from overopt.errors import UserError
from overopt.spec.world import WorldSpec
from overopt.worlds.contract import World, build, list_kinds, render, sum_terms
from overopt.worlds.steps import Stepwise
from overopt.worlds.tokens import BOS, SEP, SPECIALS, Tokens

# Hub and pool worlds are made of files; their own tests hold them to the same contract.
KINDS = [kind for kind in list_kinds() if kind not in ("hub", "pool")]


def make(kind: str, seed: int = 0, train: int = 40, heldout: int = 12) -> World:
    return build(WorldSpec(kind=kind, seed=seed, train_prompts=train, heldout_prompts=heldout))


def as_bytes(tokens: Tokens) -> bytes:
    return tokens.ids_NT.tobytes() + tokens.length_N.tobytes()


def test_kinds_are_the_worlds_only() -> None:
    assert {"arithmetic", "reviews", "tabular"} <= set(KINDS)
    assert not {"contract", "tokens", "reviews_rule"} & set(KINDS)


def test_unknown_kind_names_the_known_ones() -> None:
    with pytest.raises(UserError, match=r"'review'.*reviews, tabular"):
        make("review")


@pytest.mark.parametrize("kind", KINDS)
def test_its_specification_tells_what_its_responses_are_like(kind: str) -> None:
    spec = WorldSpec(kind=kind, seed=0, train_prompts=4, heldout_prompts=2)
    world = build(spec)
    assert spec.lists_responses == (world.responses is not None)
    assert spec.has_steps == isinstance(world, Stepwise)


@pytest.mark.parametrize("kind", KINDS)
def test_same_seed_same_bytes(kind: str) -> None:
    first, second = make(kind, seed=3), make(kind, seed=3)
    assert first.vocabulary == second.vocabulary
    assert as_bytes(first.train_prompts) == as_bytes(second.train_prompts)
    written = [
        world.references(world.train_prompts, np.random.default_rng(5)) for world in (first, second)
    ]
    assert as_bytes(written[0]) == as_bytes(written[1])
    scores = [
        world.gold(world.train_prompts, text).tobytes()
        for world, text in zip((first, second), written, strict=True)
    ]
    assert scores[0] == scores[1]


@pytest.mark.parametrize(
    ("kind", "checksum"),
    [("arithmetic", 1885639731), ("reviews", 973605866), ("tabular", 3032087915)],
)
def test_seed_0_is_the_world_that_stored_results_speak_of(kind: str, checksum: int) -> None:
    """Whoever changes this changes the meaning of results: name a new kind of world instead."""
    world = make(kind)
    text = world.references(world.train_prompts, np.random.default_rng(0))
    spoken = "\n".join(
        [*world.vocabulary, *render(world, world.train_prompts), *render(world, text)]
    )
    assert zlib.crc32(spoken.encode()) == checksum


@pytest.mark.parametrize("kind", KINDS)
def test_another_seed_is_another_world_of_the_same_size(kind: str) -> None:
    first, second = make(kind, seed=0), make(kind, seed=1)
    assert first.vocabulary != second.vocabulary
    assert len(first.vocabulary) == len(second.vocabulary)
    text = first.references(first.train_prompts, np.random.default_rng(0))
    assert render(first, text) != render(
        second, second.references(second.train_prompts, np.random.default_rng(0))
    )


@pytest.mark.parametrize("kind", KINDS)
def test_prompts_are_distinct_and_splits_disjoint(kind: str) -> None:
    world = make(kind)
    train, heldout = (
        {tuple(row) for row in prompts.ids_NT.tolist()}
        for prompts in (world.train_prompts, world.heldout_prompts)
    )
    assert (len(train), len(heldout)) == (40, 12)
    assert not train & heldout
    for prompts in (world.train_prompts, world.heldout_prompts):
        assert prompts.ids_NT.shape[1] <= 10
        assert (prompts.ids_NT[:, 0] == BOS).all()
        assert (prompts.ids_NT[np.arange(prompts.rows()), prompts.length_N - 1] == SEP).all()


@pytest.mark.parametrize("kind", KINDS)
def test_heldout_prompts_do_not_move_with_the_training_prompts(kind: str) -> None:
    few, many = make(kind, train=10), make(kind, train=60)
    assert as_bytes(few.heldout_prompts) == as_bytes(many.heldout_prompts)
    assert as_bytes(few.train_prompts) == as_bytes(many.train_prompts.take(np.arange(10)))


@pytest.mark.parametrize("kind", KINDS)
def test_too_many_prompts_is_a_users_mistake(kind: str) -> None:
    with pytest.raises(UserError, match=r"distinct prompts.*lower one"):
        make(kind, train=100_000)


@pytest.mark.parametrize("kind", KINDS)
def test_vocabulary_starts_with_the_specials_and_has_no_duplicates(kind: str) -> None:
    vocabulary = make(kind).vocabulary
    assert vocabulary[:4] == SPECIALS
    assert len(set(vocabulary)) == len(vocabulary)


@pytest.mark.parametrize("kind", KINDS)
def test_references_are_words_within_bounds(kind: str) -> None:
    world = make(kind)
    prompts = world.train_prompts.take(np.repeat(np.arange(40), 50))
    text = world.references(prompts, np.random.default_rng(1))
    assert text.rows() == 2000
    assert text.length_N.max() <= world.response_tokens_max
    full_N = text.length_N == world.response_tokens_max
    assert (text.finished_N | full_N).all()
    words_NT = np.arange(text.ids_NT.shape[1]) < (text.length_N - text.finished_N)[:, None]
    assert (text.ids_NT[words_NT] >= len(SPECIALS)).all()
    assert len(set(render(world, text))) > 100


@pytest.mark.parametrize("kind", KINDS)
def test_terms_add_up_to_gold_and_rows_do_not_influence_each_other(kind: str) -> None:
    world = make(kind)
    prompts = world.heldout_prompts
    text = world.references(prompts, np.random.default_rng(2))
    terms = world.gold_terms(prompts, text)
    gold_N = world.gold(prompts, text)
    assert gold_N.dtype == np.float64
    assert np.allclose(gold_N, sum_terms(terms), atol=1e-12)
    for row in range(prompts.rows()):
        alone = world.gold(prompts.take(np.array([row])), text.take(np.array([row])))
        assert alone[0] == pytest.approx(gold_N[row], abs=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_gold_is_finite_on_token_soup_and_on_nothing(kind: str) -> None:
    world = make(kind)
    rng = np.random.default_rng(3)
    length_N = rng.integers(0, world.response_tokens_max + 1, size=400)
    soup = Tokens.from_flat(rng.integers(0, len(world.vocabulary), length_N.sum()), length_N)
    prompts = world.train_prompts.take(rng.integers(40, size=400))
    assert np.isfinite(world.gold(prompts, soup)).all()
    no_rows = np.array([], dtype=np.int64)
    assert world.gold(prompts.take(no_rows), soup.take(no_rows)).shape == (0,)


@pytest.mark.parametrize("kind", KINDS)
def test_gold_refuses_prompts_of_another_shape(kind: str) -> None:
    world = make(kind)
    wrong = Tokens.from_padded(np.array([[BOS, 5, SEP]]))
    with pytest.raises(UserError, match="prompt does not belong"):
        world.gold(wrong, wrong)
