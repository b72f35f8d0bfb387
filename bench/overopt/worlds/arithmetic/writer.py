"""The reference writer of an arithmetic world: a careless pupil whom the initial policy imitates.

Works from left to right, but gets certain sums wrong half of the time, loses an operation or
misreads a number now and then, goes on from wrong values, writes a step twice or adds 0, and may
forget to say the answer. About half of the solutions are right, and so a policy that has learned
all that these texts can teach is right as often: it knows the sums, and the habits as well.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from overopt.worlds.arithmetic.notation import (
    DIGITS,
    OPERATIONS_MAX,
    Notation,
    Problems,
    read_problems,
)
from overopt.worlds.arithmetic.solutions import ANSWER_TOKENS, STEP_TOKENS
from overopt.worlds.tokens import EOS, Tokens

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

TOKENS_MAX = 2 * OPERATIONS_MAX * STEP_TOKENS + ANSWER_TOKENS
"""The longest solution that the writer writes: every step followed by a useless one."""


@dataclass(frozen=True, eq=False)
class Habits:
    """Probabilities of the writer's mistakes, drawn from the world's seed.

    mistake_ODD: of getting ``left operator right`` wrong; operator 0 is plus, 1 is minus.
    lean_ODD: +1 or -1, by how much the wrong result is off.
    skip: of losing an operation.
    misread: of working with another number than the one that is asked for.
    idle: of a step that leads nowhere after a step: the same again, or adding 0.
    silent: of ending without an answer.
    """

    mistake_ODD: Floats
    lean_ODD: Integers
    skip: float
    misread: float
    idle: float
    silent: float


def draw_habits(rng: np.random.Generator) -> Habits:
    """Habits around sensible centers: a quarter of all sums are hard, the others easy."""

    def jitter(center: float) -> float:
        return float(center * np.exp(0.12 * rng.standard_normal()))

    shape = (2, DIGITS, DIGITS)
    hard_ODD = rng.random(shape) < 0.25
    return Habits(
        mistake_ODD=np.where(hard_ODD, jitter(0.5), jitter(0.05)),
        lean_ODD=np.where(rng.random(shape) < 0.5, 1, -1),
        skip=jitter(0.06),
        misread=jitter(0.03),
        idle=jitter(0.08),
        silent=jitter(0.04),
    )


@dataclass(frozen=True, eq=False)
class SumWriter:
    """Writes one solution per prompt."""

    notation: Notation
    habits: Habits

    def write(self, prompts: Tokens, rng: np.random.Generator) -> Tokens:
        """One solution with EOS for each of the N prompts.

        Raises:
            UserError: if a prompt is not one of this world's.
        """
        problems = read_problems(self.notation, prompts)
        rows = prompts.rows()
        value_N = problems.start_N
        parts: list[tuple[Integers, Flags]] = []
        for k in range(OPERATIONS_MAX):
            kept_N = (k < problems.operations_N) & (rng.random(rows) >= self.habits.skip)
            result_N, step_NS = self._step(problems, k, value_N, rng)
            value_N = np.where(kept_N, result_N, value_N)
            idle_N = kept_N & (rng.random(rows) < self.habits.idle)
            again_N = rng.random(rows) < 0.5
            zero_N = np.zeros(rows, dtype=np.int64)
            adds_0_NS = self._spell(value_N, zero_N + 1, zero_N, value_N)
            parts += [
                (step_NS, kept_N),
                (np.where(again_N[:, None], step_NS, adds_0_NS), idle_N),
            ]
        answer_N = self.notation.digit_D[value_N]
        said_N = np.full(rows, self.notation.id("answer"))
        spoken_N = rng.random(rows) >= self.habits.silent
        parts.append((np.column_stack([said_N, answer_N]), spoken_N))
        parts.append((np.full((rows, 1), EOS), np.ones(rows, dtype=np.bool_)))
        ids_NT = np.concatenate([ids for ids, _ in parts], axis=1)
        kept_NT = np.concatenate(
            [np.repeat(kept_N[:, None], ids.shape[1], axis=1) for ids, kept_N in parts], axis=1
        )
        return Tokens.from_flat(ids_NT[kept_NT], kept_NT.sum(axis=1))

    def _step(
        self, problems: Problems, k: int, value_N: Integers, rng: np.random.Generator
    ) -> tuple[Integers, Integers]:
        """What operation k makes of a value (N,), and how it is written down, (N, 6).

        What does not fit into a digit loses its carry.
        """
        rows = len(value_N)
        misread_N = rng.random(rows) < self.habits.misread
        read_N = np.where(misread_N, rng.integers(1, DIGITS, rows), problems.operand_NK[:, k])
        sign_N = problems.sign_NK[:, k]
        place = (np.where(sign_N > 0, 0, 1), value_N, read_N)
        wrong_N = rng.random(rows) < self.habits.mistake_ODD[place]
        result_N = (value_N + sign_N * read_N + wrong_N * self.habits.lean_ODD[place]) % DIGITS
        return result_N, self._spell(value_N, sign_N, read_N, result_N)

    def _spell(
        self, left_N: Integers, sign_N: Integers, right_N: Integers, result_N: Integers
    ) -> Integers:
        """The six tokens of each step, ``3 + 4 = 7 ;``."""
        digit_D, notation = self.notation.digit_D, self.notation
        columns = (
            digit_D[left_N],
            notation.operator(sign_N),
            digit_D[right_N],
            np.full(len(left_N), notation.id("=")),
            digit_D[result_N],
            np.full(len(left_N), notation.id(";")),
        )
        return np.column_stack(columns)
