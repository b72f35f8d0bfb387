"""Ragged token sequences: lengths, EOS, rows and concatenation."""

import numpy as np

from overopt.worlds.tokens import EOS, PAD, Tokens, concatenate


def test_padded_lengths_keep_a_pad_that_stands_inside() -> None:
    tokens = Tokens.from_padded(np.array([[5, PAD, 6, PAD, PAD], [7, EOS, PAD, PAD, PAD]]))
    assert tokens.length_N.tolist() == [3, 2]
    assert tokens.ids_NT.tolist() == [[5, PAD, 6], [7, EOS, PAD]]
    assert tokens.ids_NT.dtype == np.int32


def test_finished_needs_eos_at_the_end() -> None:
    tokens = Tokens.from_flat(np.array([5, EOS, EOS, 5, 6, EOS]), np.array([2, 3, 0, 1]))
    assert tokens.finished_N.tolist() == [True, False, False, True]


def test_empty_arrays_work() -> None:
    nothing = Tokens.from_flat(np.array([], dtype=np.int32), np.array([0, 0]))
    assert nothing.ids_NT.shape == (2, 0)
    assert nothing.finished_N.tolist() == [False, False]
    assert Tokens.from_padded(np.zeros((3, 0), dtype=np.int32)).length_N.tolist() == [0, 0, 0]


def test_flat_inverts_from_flat() -> None:
    flat, lengths = np.array([4, 5, 6, 7, 8, 9]), np.array([1, 3, 2])
    tokens = Tokens.from_flat(flat, lengths)
    assert tokens.flat().tolist() == flat.tolist()
    assert tokens.length_N.tolist() == lengths.tolist()
    assert tokens.rows() == 3


def test_take_and_concatenate() -> None:
    tokens = Tokens.from_flat(np.array([4, 5, 6, 7, 8, 9]), np.array([1, 3, 2]))
    short = tokens.take(np.array([0]))
    assert short.ids_NT.tolist() == [[4]]
    joined = concatenate([short, tokens.take(np.array([False, True, False]))])
    assert joined.ids_NT.tolist() == [[4, PAD, PAD], [5, 6, 7]]
    assert joined.length_N.tolist() == [1, 3]
