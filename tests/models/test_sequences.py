"""Joining prompts and responses, and sharing rows out into batches."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from overopt.models.sequences import (
    align,
    bucket_rows,
    consecutive_rows,
    join,
    shuffle_batches,
    split_by_length,
    take_rows,
)

from .tiny import tokens

lengths = st.lists(st.integers(1, 30), max_size=60).map(lambda rows: np.array(rows, dtype=np.int32))


def test_join_places_each_response_after_its_prompt() -> None:
    batch = join(tokens([1, 4, 2], [1, 2]), tokens([5, 3], [4, 4, 3]))
    assert batch.ids_BL.tolist() == [[1, 4, 2, 5, 3], [1, 2, 4, 4, 3]]
    assert batch.attention_BL.tolist() == [[1, 1, 1, 1, 1], [1, 1, 1, 1, 1]]
    assert batch.mask_BT.tolist() == [[True, True, False], [True, True, True]]
    assert batch.prompt_length_B.tolist() == [3, 2]
    assert batch.prompt_length_min == 2


def test_join_pads_on_the_right() -> None:
    batch = join(tokens([1, 2], [1, 4, 4, 2]), tokens([3], [5, 3]))
    assert batch.ids_BL.tolist() == [[1, 2, 3, 0, 0, 0], [1, 4, 4, 2, 5, 3]]
    assert batch.attention_BL.tolist() == [[1, 1, 1, 0, 0, 0], [1, 1, 1, 1, 1, 1]]


def test_join_takes_empty_responses() -> None:
    batch = join(tokens([1, 2], [1, 4, 2]), tokens([], []))
    assert batch.ids_BL.tolist() == [[1, 2, 0], [1, 4, 2]]
    assert batch.mask_BT.shape == (2, 0)


def test_join_refuses_empty_prompts_and_unequal_rows() -> None:
    with pytest.raises(ValueError, match="at least one token"):
        join(tokens([1], []), tokens([3], [3]))
    with pytest.raises(ValueError, match="1 prompts cannot join 2 responses"):
        join(tokens([1]), tokens([3], [3]))


def test_align_moves_values_to_the_response_start() -> None:
    # column 0 follows the shortest prompt (2 tokens); row 0's response starts one column later
    batch = join(tokens([1, 4, 2], [1, 2]), tokens([5, 3], [4, 4, 3]))
    value_BK = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    assert align(value_BK, batch).tolist() == [[2.0, 3.0, 0.0], [4.0, 5.0, 6.0]]


def test_align_moves_whole_vectors_alike() -> None:
    batch = join(tokens([1, 4, 2], [1, 2]), tokens([5, 3], [4, 4, 3]))
    value_BK = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    value_BKD = torch.stack([value_BK, -value_BK], dim=-1)
    aligned_BTD = align(value_BKD, batch)
    assert torch.equal(aligned_BTD[..., 0], align(value_BK, batch))
    assert torch.equal(aligned_BTD[..., 1], -align(value_BK, batch))


def test_align_may_look_further_and_hands_gradients_back_once() -> None:
    batch = join(tokens([1, 4, 2], [1, 2]), tokens([5, 3], [4, 4, 3]))
    value_BKD = torch.arange(16.0).view(2, 4, 2).requires_grad_()
    aligned_BTD = align(value_BKD, batch, later=1)
    assert aligned_BTD.tolist() == [
        [[4.0, 5.0], [6.0, 7.0], [0.0, 0.0]],
        [[10.0, 11.0], [12.0, 13.0], [14.0, 15.0]],
    ]
    [gradient_BKD] = torch.autograd.grad((aligned_BTD * aligned_BTD).sum(), value_BKD)
    used_BK = torch.tensor([[0, 0, 1, 1], [0, 1, 1, 1]])
    assert torch.equal(gradient_BKD, 2 * value_BKD.detach() * used_BK[..., None])


def test_taken_rows_keep_the_width_and_the_offset() -> None:
    batch = join(tokens([1, 4, 2], [1, 2], [1, 5, 2]), tokens([5, 3], [4, 4, 3], [3]))
    part = take_rows(batch, torch.tensor([2, 0]))
    assert part.ids_BL.tolist() == [[1, 5, 2, 3, 0], [1, 4, 2, 5, 3]]
    assert part.mask_BT.tolist() == [[True, False, False], [True, True, False]]
    assert (part.prompt_length_B.tolist(), part.prompt_length_min) == ([3, 3], 2)
    value_BK = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    assert align(value_BK, part).tolist() == [[2.0, 0.0, 0.0], [5.0, 6.0, 0.0]]


def test_a_batch_of_uneven_rows_is_split_by_hand() -> None:
    # 64 rows of 40 tokens and 192 of 4: 3,328 tokens pay for 3 parts, in 10,240 positions
    long, short = [1] * 38, [1] * 2
    batch = join(
        tokens(*([[1, 2]] * 256)),
        tokens(*([long if row % 4 == 1 else short for row in range(256)])),
    )
    parts = split_by_length(batch)
    assert [(len(rows_P), length) for rows_P, length in parts] == [(86, 4), (86, 4 + 0), (84, 40)]
    assert parts[0][0].tolist() == [row for row in range(256) if row % 4 != 1][:86]
    assert sorted(torch.cat([rows_P for rows_P, _ in parts]).tolist()) == [*range(256)]


@pytest.mark.parametrize(
    ("rows", "lengths"),
    [(256, (30, 38)), (32, (2, 38))],
    ids=["hardly any padding", "too few tokens to pay for a second pass"],
)
def test_a_batch_is_left_whole(rows: int, lengths: tuple[int, int]) -> None:
    responses = [[1] * lengths[row % 2] for row in range(rows)]
    batch = join(tokens(*([[1, 2]] * rows)), tokens(*responses))
    ((rows_P, length),) = split_by_length(batch)
    assert (rows_P.tolist(), length) == ([*range(rows)], 2 + max(lengths))


def test_bucket_rows_by_hand() -> None:
    batches = bucket_rows(np.array([5, 1, 2, 9, 2]), batch_tokens=6)
    # sorted 1, 2, 2, 5, 9: three rows of at most 2 fit into 6 tokens; 9 stands alone
    assert [batch.tolist() for batch in batches] == [[1, 2, 4], [0], [3]]


@given(lengths, st.integers(1, 100))
def test_bucket_rows_holds_every_row_once_within_the_limit(
    length_N: np.ndarray, batch_tokens: int
) -> None:
    batches = bucket_rows(length_N, batch_tokens)
    assert sorted(row for batch in batches for row in batch.tolist()) == [*range(len(length_N))]
    for batch in batches:
        assert len(batch) == 1 or len(batch) * length_N[batch].max() <= batch_tokens


def test_consecutive_rows_by_hand() -> None:
    batches = consecutive_rows(np.array([5, 1, 2, 9, 2]), batch_tokens=6)
    assert [batch.tolist() for batch in batches] == [[0, 1], [2], [3], [4]]
    assert consecutive_rows(np.array([], dtype=np.int32), 6) == []


@given(lengths, st.integers(1, 100))
def test_consecutive_rows_fill_batches_in_order(length_N: np.ndarray, batch_tokens: int) -> None:
    batches = consecutive_rows(length_N, batch_tokens)
    assert [row for batch in batches for row in batch.tolist()] == [*range(len(length_N))]
    for batch in batches:
        assert len(batch) == 1 or length_N[batch].sum() <= batch_tokens
    for batch, following in itertools.pairwise(batches):
        assert length_N[batch].sum() + length_N[following[0]] > batch_tokens


@given(lengths, st.integers(1, 9), st.integers(0, 2**32 - 1))
def test_shuffle_batches_holds_every_row_once(
    length_N: np.ndarray, batch_size: int, seed: int
) -> None:
    batches = shuffle_batches(length_N, batch_size, np.random.default_rng(seed))
    assert sorted(row for batch in batches for row in batch.tolist()) == [*range(len(length_N))]
    assert all(len(batch) <= batch_size for batch in batches)
    assert sum(len(batch) < batch_size for batch in batches) <= 1


def test_shuffle_batches_keeps_similar_lengths_together_and_follows_its_generator() -> None:
    length_N = np.arange(64) % 8 + 1
    batches = shuffle_batches(length_N, 8, np.random.default_rng(3))
    assert all(len(set(length_N[batch].tolist())) == 1 for batch in batches)
    again = shuffle_batches(length_N, 8, np.random.default_rng(3))
    other = shuffle_batches(length_N, 8, np.random.default_rng(4))
    assert [b.tolist() for b in batches] == [b.tolist() for b in again]
    assert [b.tolist() for b in batches] != [b.tolist() for b in other]
