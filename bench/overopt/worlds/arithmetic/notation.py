"""How sums are written: digits, two operators, and marks; and how a problem is read.

A problem is a chain of two or three operations, to be worked out from left to right, such as
``<bos> 3 + 4 - 2 + 1 <sep>``. Every value on the way is a digit, and no operand is 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from overopt.errors import UserError
from overopt.worlds.tokens import BOS, SEP, SPECIALS, Tokens

Integers = npt.NDArray[np.int64]

DIGITS = 10
OPERATIONS_MAX = 3
_SYMBOLS = ("0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "+", "-", "=", ";", "answer")


@dataclass(frozen=True)
class Notation:
    """The words of an arithmetic world: ten digits, ``+ - = ;`` and ``answer``, in its own order.

    words: word of every token id, special tokens first.
    """

    words: tuple[str, ...]

    def id(self, word: str) -> int:
        """Token id of a word."""
        return self.words.index(word)

    @cached_property
    def digit_D(self) -> Integers:
        """Token id of each digit, (10,)."""
        return np.array([self.id(str(digit)) for digit in range(DIGITS)])

    @cached_property
    def value_V(self) -> Integers:
        """The digit that each token stands for, (V,); -1 where it is none."""
        value_V = np.full(len(self.words), -1)
        value_V[self.digit_D] = np.arange(DIGITS)
        return value_V

    @cached_property
    def sign_V(self) -> Integers:
        """+1 for plus, -1 for minus, 0 for every other token, (V,)."""
        sign_V = np.zeros(len(self.words), dtype=np.int64)
        sign_V[[self.id("+"), self.id("-")]] = (1, -1)
        return sign_V

    def operator(self, sign_N: Integers) -> Integers:
        """Token id of the operator of each sign, (N,)."""
        return np.where(sign_N > 0, self.id("+"), self.id("-"))


def draw_notation(rng: np.random.Generator) -> Notation:
    """The symbols in an order of the world's own."""
    return Notation((*SPECIALS, *(_SYMBOLS[place] for place in rng.permutation(len(_SYMBOLS)))))


class Problems(NamedTuple):
    """What N prompts ask.

    start_N: the first number. sign_NK: +1 or -1 of each operation, 0 where there is none.
    operand_NK: its number. operations_N: how many there are, 2 or 3.
    """

    start_N: Integers
    sign_NK: Integers
    operand_NK: Integers
    operations_N: Integers

    @property
    def value_N(self) -> Integers:
        """The right answers."""
        value_N: Integers = self.start_N + (self.sign_NK * self.operand_NK).sum(axis=1)
        return value_N


def list_problems(notation: Notation) -> Tokens:
    """Every problem once, shorter ones first: 10 x 9^2 + 10 x 9^3 = 8100.

    A problem of K operations is a walk of K + 1 digits, no two neighbors alike.
    """
    rows: list[Tokens] = []
    for operations in (OPERATIONS_MAX - 1, OPERATIONS_MAX):
        walk_NW = np.indices((DIGITS,) * (operations + 1)).reshape(operations + 1, -1).T
        move_NK = np.diff(walk_NW, axis=1)
        moves_N = (move_NK != 0).all(axis=1)
        walk_NW, move_NK = walk_NW[moves_N], move_NK[moves_N]
        columns = [np.full(len(walk_NW), BOS), notation.digit_D[walk_NW[:, 0]]]
        for move_N in move_NK.T:
            columns += [notation.operator(move_N), notation.digit_D[np.abs(move_N)]]
        columns.append(np.full(len(walk_NW), SEP))
        rows.append(Tokens.from_padded(np.column_stack(columns)))
    width = rows[-1].ids_NT.shape[1]
    padded = [np.pad(part.ids_NT, ((0, 0), (0, width - part.ids_NT.shape[1]))) for part in rows]
    return Tokens.from_padded(np.concatenate(padded))


def read_problems(notation: Notation, prompts: Tokens) -> Problems:
    """What the prompts ask.

    Raises:
        UserError: if a row is not a prompt of this world.
    """
    longest = 2 * OPERATIONS_MAX + 3
    width = min(prompts.ids_NT.shape[1], longest)
    ids_NT = np.zeros((prompts.rows(), longest), dtype=np.int64)
    ids_NT[:, :width] = prompts.ids_NT[:, :width]
    operations_N = (prompts.length_N.astype(np.int64) - 3) // 2
    asked_NK = np.arange(OPERATIONS_MAX) < operations_N[:, None]
    start_N = notation.value_V[ids_NT[:, 1]]
    sign_NK = np.where(asked_NK, notation.sign_V[ids_NT[:, 2:-1:2]], 0)
    operand_NK = np.where(asked_NK, notation.value_V[ids_NT[:, 3::2]], 0)
    last_N = np.maximum(prompts.length_N - 1, 0)
    fits = (
        prompts.ids_NT.shape[1] <= longest
        and np.isin(prompts.length_N, (longest - 2, longest)).all()
        and (ids_NT[:, 0] == BOS).all()
        and (ids_NT[np.arange(len(ids_NT)), last_N] == SEP).all()
        and (start_N >= 0).all()
        and ((sign_NK != 0) & (operand_NK > 0))[asked_NK].all()
    )
    if not fits:
        raise UserError(
            "a prompt does not belong to this arithmetic world: it must read "
            "'<bos> digit + digit - digit <sep>' with two or three operations; use the prompts "
            "of this world"
        )
    return Problems(start_N, sign_NK, operand_NK, operations_N)
