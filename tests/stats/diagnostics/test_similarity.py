"""Similarity and repetition of texts, by numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from overopt.stats.diagnostics.similarity import meteor, repeated_share


def test_a_text_is_most_like_itself() -> None:
    # P = R = 1, one chunk of four words
    assert meteor([5, 6, 7, 8], [5, 6, 7, 8]) == pytest.approx(1 - 0.5 / 64)


def test_words_in_another_order_are_scattered() -> None:
    # all words match, in two chunks of two
    assert meteor([7, 8, 5, 6], [5, 6, 7, 8]) == pytest.approx(1 - 0.5 * (2 / 4) ** 3)


def test_recall_weighs_nine_times_precision() -> None:
    # two words of four are in the reference, which has two: P = .5, R = 1, one chunk
    assert meteor([1, 5, 6, 2], [5, 6]) == pytest.approx(10 * 0.5 / (1 + 4.5) * (1 - 0.5 / 8))


def test_a_repeated_word_matches_once() -> None:
    # m = 1: P = 1/3, R = 1; a single match is one chunk
    assert meteor([5, 5, 5], [5]) == pytest.approx(10 / 3 / (1 + 3) * 0.5)


@pytest.mark.parametrize(("one", "other"), [([], [5]), ([5], []), ([5], [6])])
def test_nothing_in_common_is_zero(one: list[int], other: list[int]) -> None:
    assert meteor(one, other) == 0.0


def test_repeated_pairs_of_words() -> None:
    texts = np.array([[4, 5, 4, 5, 4], [4, 5, 6, 7, 8], [4, 5, 0, 0, 0], [4, 0, 0, 0, 0]])
    # 45 54 45 54: two of four stood before; padding makes no pair; one word has none
    share_N = repeated_share(texts, [5, 5, 2, 1])
    np.testing.assert_allclose(share_N, [0.5, 0.0, 0.0, np.nan])


def test_what_lies_beyond_the_end_repeats_nothing() -> None:
    assert repeated_share(np.zeros((1, 6), int) + 9, [3])[0] == pytest.approx(0.5)
