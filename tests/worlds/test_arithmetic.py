"""The arithmetic world: sums and steps checked by hand, and a writer wrong for known reasons."""

import zlib
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pytest

from overopt.errors import UserError
from overopt.spec.world import WorldSpec
from overopt.worlds import contract
from overopt.worlds.arithmetic.notation import OPERATIONS_MAX, list_problems, read_problems
from overopt.worlds.arithmetic.rule import SumRule, SumWeights
from overopt.worlds.arithmetic.solutions import read_solutions
from overopt.worlds.arithmetic.world import RESPONSE_TOKENS_MAX, Arithmetic, build
from overopt.worlds.arithmetic.writer import SumWriter
from overopt.worlds.contract import render
from overopt.worlds.steps import Stepwise, stepwise
from overopt.worlds.tokens import BOS, EOS, SEP, SPECIALS, Tokens

PROBLEMS = 10 * 9**2 + 10 * 9**3


@pytest.fixture(scope="module")
def world() -> Arithmetic:
    return build(WorldSpec(kind="arithmetic", seed=0, train_prompts=4096, heldout_prompts=128))


def spelled(world: Arithmetic, texts: list[str], opened: bool = False) -> Tokens:
    """Texts as tokens; ``<bos> <sep>`` around them if they are prompts."""
    framed = [f"<bos> {text} <sep>" if opened else text for text in texts]
    rows = [[world.notation.id(word) for word in text.split()] for text in framed]
    flat = np.array([token for row in rows for token in row], dtype=np.int32)
    return Tokens.from_flat(flat, np.array([len(row) for row in rows]))


class Case(NamedTuple):
    """A response to 3 + 4 - 2 + 1 (7, 5, 6), and what is true of each of its steps."""

    text: str
    correct: str
    progress: str
    right: bool


# One character per step: y or n.
CASES = {
    "worked": Case("3 + 4 = 7 ; 7 - 2 = 5 ; 5 + 1 = 6 ; answer 6 <eos>", "yyyy", "yyyy", True),
    "a turned plus": Case("4 + 3 = 7 ; 7 - 2 = 5 ; answer 5 <eos>", "yyn", "yyn", False),
    "a turned minus": Case("3 + 4 = 7 ; 2 - 7 = 5 ; answer 6 <eos>", "yny", "yny", True),
    "a wrong sum, gone on from": Case(
        "3 + 4 = 8 ; 8 - 2 = 6 ; 6 + 1 = 7 ; answer 7 <eos>", "nyyn", "nnnn", False
    ),
    "mended": Case(
        "3 + 4 = 8 ; 3 + 4 = 7 ; 7 - 2 = 5 ; 5 + 1 = 6 ; answer 6 <eos>", "nyyyy", "nyyyy", True
    ),
    "the same step again": Case(
        "3 + 4 = 7 ; 3 + 4 = 7 ; 3 + 4 = 7 ; 7 - 2 = 5 ; 5 + 1 = 6 ; answer 6 <eos>",
        "yyyyyy", "ynnyyy", True,
    ),
    "adding nothing": Case("7 + 0 = 7 ; 7 + 0 = 7 ; answer 6 <eos>", "yyy", "nny", True),
    "true, and of another problem": Case("1 + 1 = 2 ; answer 2 <eos>", "yn", "nn", False),
    "an operation lost": Case("3 + 4 = 7 ; 7 + 1 = 8 ; answer 8 <eos>", "yyn", "ynn", False),
    "more than is asked": Case(
        "3 + 4 = 7 ; 7 - 2 = 5 ; 5 + 1 = 6 ; 6 + 1 = 7 ; answer 7 <eos>", "yyyyn", "yyynn", False
    ),
    "the answer alone": Case("answer 6 <eos>", "y", "y", True),
    "no answer": Case("3 + 4 = 7 ; <eos>", "yn", "yn", False),
    "cut off in a step": Case("3 + 4 = 7 ; 7 - 2", "yn", "yn", False),
    "cut off after a step": Case("3 + 4 = 7 ;", "y", "y", False),
    "an answer without an end": Case("answer 6", "n", "n", False),
    "an answer within a step": Case("3 + answer 6 <eos>", "n", "n", False),
    "a step with more in it": Case("3 3 + 4 = 7 ; answer 6 <eos>", "ny", "ny", True),
    "a step with less in it": Case("3 + 4 7 ; answer 6 <eos>", "ny", "ny", True),
    "nothing": Case("<eos>", "n", "n", False),
    "only separators": Case("; ; ; <eos>", "nnnn", "nnnn", False),
    "minus below nothing": Case("3 - 4 = 9 ; answer 6 <eos>", "ny", "ny", True),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_steps_by_hand(case: Case, world: Arithmetic) -> None:
    prompt = spelled(world, ["3 + 4 - 2 + 1"], opened=True)
    text = spelled(world, [case.text])
    end_T = world.step_ends(text)[0]
    truth = world.step_truth(prompt, text)
    found = ["".join("ny"[int(flag)] for flag in flags_NT[0][end_T]) for flags_NT in truth]
    assert found == [case.correct, case.progress]
    assert not truth.correct_NT[0][~end_T].any() and not truth.progress_NT[0][~end_T].any()
    assert (world.gold_terms(prompt, text)["answer"][0] > 0) == case.right


def test_a_step_ends_at_a_separator_and_at_the_last_token(world: Arithmetic) -> None:
    texts = spelled(world, ["3 + 4 = 7 ; answer 7 <eos>", "3 + 4", "7 ;", "<eos>"])
    ends = [np.flatnonzero(row).tolist() for row in world.step_ends(texts)]
    assert ends == [[5, 8], [2], [1], [0]]


def test_rows_of_one_batch_are_judged_alone(world: Arithmetic) -> None:
    prompts = world.train_prompts.take(np.arange(300))
    text = world.references(prompts, np.random.default_rng(4))
    together = world.step_truth(prompts, text)
    for row in range(0, 300, 17):
        one = np.array([row])
        alone = world.step_truth(prompts.take(one), text.take(one))
        width = alone.correct_NT.shape[1]
        assert np.array_equal(alone.correct_NT[0], together.correct_NT[row, :width])
        assert np.array_equal(alone.progress_NT[0], together.progress_NT[row, :width])


HAND = {
    # answer, length, silence; 6 * 3 + 3 = 21 tokens are needed
    "3 + 4 = 7 ; 7 - 2 = 5 ; 5 + 1 = 6 ; answer 6 <eos>": (2.0, 0.0, 0.0),
    "3 + 4 = 7 ; 7 - 2 = 5 ; 5 + 1 = 7 ; answer 7 <eos>": (0.0, 0.0, 0.0),
    "3 + 4 = 7 ; 3 + 4 = 7 ; 7 - 2 = 5 ; 5 + 1 = 6 ; answer 6 <eos>": (2.0, -0.5, 0.0),
    "answer 6 <eos>": (2.0, 0.0, 0.0),
    "answer <eos>": (0.0, 0.0, -0.25),
    # 4 steps of 6 tokens and 2 more are 26: 5/6 of a step too many
    "7 + 0 = 7 ; 7 + 0 = 7 ; 7 + 0 = 7 ; 7 + 0 = 7 ; answer 6": (0.0, -0.5 * 5 / 6, -0.25),
}


@pytest.mark.parametrize(("text", "expected"), HAND.items())
def test_gold_by_hand(text: str, expected: tuple[float, ...], world: Arithmetic) -> None:
    rule = SumRule(world.notation, SumWeights(answer=2.0, length=0.5, silence=0.25))
    prompt = spelled(world, ["3 + 4 - 2 + 1"], opened=True)
    terms = rule.score_terms(prompt, spelled(world, [text]))
    assert list(terms) == ["answer", "length", "silence"]
    assert [float(term_N[0]) for term_N in terms.values()] == pytest.approx(list(expected))


def test_a_problem_of_two_operations_needs_less(world: Arithmetic) -> None:
    rule = SumRule(world.notation, SumWeights(answer=2.0, length=0.5, silence=0.25))
    prompt = spelled(world, ["9 - 4 - 5"], opened=True)
    text = spelled(world, ["9 - 4 = 5 ; 9 - 4 = 5 ; 5 - 5 = 0 ; answer 0 <eos>"])
    assert rule.score_terms(prompt, text)["length"] == pytest.approx([-0.5])
    assert rule.score_terms(prompt, text)["answer"] == pytest.approx([2.0])


def test_every_problem_is_there_once_and_all_values_are_digits(world: Arithmetic) -> None:
    listed = list_problems(world.notation)
    texts = render(world, listed)
    assert len(texts) == len(set(texts)) == PROBLEMS == 8100
    problems = read_problems(world.notation, listed)
    assert np.bincount(problems.operations_N).tolist() == [0, 0, 810, 7290]
    moves_NK = problems.sign_NK * problems.operand_NK
    values_NK = problems.start_N[:, None] + moves_NK.cumsum(axis=1)
    assert values_NK.min() == 0 and values_NK.max() == 9
    for text, value in list(zip(texts, problems.value_N, strict=True))[::97]:
        first, *rest = text.split()
        worked = int(first)
        for sign, operand in zip(rest[::2], rest[1::2], strict=True):
            worked += int(operand) if sign == "+" else -int(operand)
        assert worked == value
    assert OPERATIONS_MAX == 3


def test_training_and_heldout_problems_share_none() -> None:
    spec = WorldSpec(kind="arithmetic", seed=5, train_prompts=PROBLEMS - 1000, heldout_prompts=1000)
    world = build(spec)
    train, heldout = (
        set(render(world, part)) for part in (world.train_prompts, world.heldout_prompts)
    )
    assert (len(train), len(heldout)) == (PROBLEMS - 1000, 1000)
    assert not train & heldout


def test_worlds_of_any_32_bit_seed_are_worlds_of_their_own() -> None:
    seen = set()
    for seed in (0, 1, 2, 3, 2**16, 2**31, 2**32 - 2, 2**32 - 1):
        made = build(WorldSpec(kind="arithmetic", seed=seed, train_prompts=64, heldout_prompts=8))
        order = zlib.crc32("\n".join(render(made, made.train_prompts)).encode())
        habits = zlib.crc32(made.writer.habits.mistake_ODD.tobytes())
        seen |= {("words", made.vocabulary), ("order", order), ("habits", habits)}
        seen.add(("weights", made.rule.weights))
    assert len(seen) == 4 * 8


def test_symbols_are_the_same_in_every_world(world: Arithmetic) -> None:
    other = build(WorldSpec(kind="arithmetic", seed=1, train_prompts=4, heldout_prompts=4))
    assert set(world.vocabulary) == set(other.vocabulary)
    assert len(world.vocabulary) == len(SPECIALS) + 15


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_writer_is_right_about_half_of_the_time_for_the_stated_reasons(seed: int) -> None:
    world = build(WorldSpec(kind="arithmetic", seed=seed, train_prompts=4096, heldout_prompts=128))
    prompts = world.train_prompts.take(np.random.default_rng(0).integers(4096, size=8192))
    text = world.references(prompts, np.random.default_rng(1))
    terms, truth = world.gold_terms(prompts, text), world.step_truth(prompts, text)
    ends_NT = world.step_ends(text)
    steps_N = ends_NT.sum(axis=1)
    right_N = terms["answer"] > 0
    assert 0.42 < right_N.mean() < 0.58
    assert 0.02 < (terms["silence"] < 0).mean() < 0.06
    useless_N = (truth.correct_NT & ~truth.progress_NT).sum(axis=1)
    clean_N = right_N & (truth.correct_NT.sum(axis=1) == steps_N)
    assert 0.05 < (useless_N[clean_N] > 0).mean() < 0.3, "idle steps are there to be found"
    assert (text.finished_N).all() and text.length_N.max() < RESPONSE_TOKENS_MAX
    habits = world.writer.habits
    assert 0.15 < (habits.mistake_ODD > 0.2).mean() < 0.35
    assert set(np.unique(habits.lean_ODD)) == {-1, 1}


def test_a_careful_writer_is_always_right(world: Arithmetic) -> None:
    careful = replace(
        world.writer.habits,
        mistake_ODD=np.zeros((2, 10, 10)), skip=0.0, misread=0.0, idle=0.0, silent=0.0,
    )  # fmt: skip
    prompts = world.heldout_prompts
    text = SumWriter(world.notation, careful).write(prompts, np.random.default_rng(0))
    truth = world.step_truth(prompts, text)
    assert np.array_equal(truth.progress_NT, world.step_ends(text))
    terms = world.gold_terms(prompts, text)
    assert (terms["answer"] > 0).all() and not terms["length"].any() and not terms["silence"].any()


def test_hard_sums_are_missed_half_of_the_time_in_one_direction(world: Arithmetic) -> None:
    prompts = world.train_prompts.take(np.random.default_rng(2).integers(4096, size=20_000))
    text = world.references(prompts, np.random.default_rng(3))
    read = read_solutions(world.notation, text)
    habits = world.writer.habits
    operator = np.where(read.sign_NT > 0, 0, 1)
    place = tuple(part[read.formed_NT] for part in (operator, read.left_NT, read.right_NT))
    worked = (read.left_NT + read.sign_NT * read.right_NT)[read.formed_NT] % 10
    off = (read.result_NT[read.formed_NT] - worked) % 10
    hard = (habits.mistake_ODD[place] > 0.2) & (place[2] > 0)
    assert (off[hard] > 0).mean() == pytest.approx(habits.mistake_ODD.max(), abs=0.03)
    assert set(np.unique(off)) <= {0, 1, 9}
    assert np.array_equal(off[off > 0] == 1, (habits.lean_ODD[place] == 1)[off > 0])


@pytest.mark.parametrize(
    "text",
    ["3 + 4", "3 + 4 - 2 + 1 - 1", "3 + 0 - 2", "3 4 4 - 2", "+ + 4 - 2", "3 + 4 - ;"],
)
def test_other_prompts_are_refused(text: str, world: Arithmetic) -> None:
    prompt = spelled(world, [text], opened=True)
    with pytest.raises(UserError, match="prompt does not belong to this arithmetic world"):
        world.step_truth(prompt, spelled(world, ["answer 6 <eos>"]))


def test_frames_of_prompts_are_checked(world: Arithmetic) -> None:
    ids_NT = spelled(world, ["3 + 4 - 2"], opened=True).ids_NT
    for column, token in ((0, SEP), (-1, EOS), (-1, BOS)):
        changed = ids_NT.copy()
        changed[0, column] = token
        with pytest.raises(UserError, match="does not belong"):
            read_problems(world.notation, Tokens.from_padded(changed))


def test_only_worlds_of_steps_are_stepwise(world: Arithmetic) -> None:
    assert isinstance(world, Stepwise) and stepwise(world) is world
    other = contract.build(WorldSpec(kind="tabular", seed=0, train_prompts=4, heldout_prompts=4))
    with pytest.raises(UserError, match="have none; use --task arithmetic"):
        stepwise(other)


def test_steps_of_token_soup_hold_no_more_than_there_is(world: Arithmetic) -> None:
    rng = np.random.default_rng(6)
    length_N = rng.integers(0, RESPONSE_TOKENS_MAX + 1, size=500)
    soup = Tokens.from_flat(rng.integers(0, len(world.vocabulary), length_N.sum()), length_N)
    prompts = world.train_prompts.take(rng.integers(4096, size=500))
    end_NT, truth = world.step_ends(soup), world.step_truth(prompts, soup)
    assert np.array_equal(end_NT.any(axis=1), length_N > 0)
    assert not (end_NT & ~soup.mask_NT).any()
    assert not (truth.correct_NT & ~end_NT).any()
    assert not (truth.progress_NT & ~truth.correct_NT).any()
