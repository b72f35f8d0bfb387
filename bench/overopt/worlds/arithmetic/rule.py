"""The rule gold of an arithmetic world: the right answer, said briefly.

It looks at the answer and at the length, never at the steps: what is true of these stays apart
(``solutions.judge_steps``), so that labels of outcomes do not tell which steps are right.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from overopt.worlds.arithmetic.notation import Notation, read_problems
from overopt.worlds.arithmetic.solutions import ANSWER_TOKENS, STEP_TOKENS, read_solutions
from overopt.worlds.tokens import Tokens

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class SumWeights:
    """Weights of the terms, in raw gold units.

    answer: value of the right answer.
    length: cost of a step's length more than the worked solution needs.
    silence: cost of a response that does not end with an answer.
    """

    answer: float
    length: float
    silence: float


@dataclass(frozen=True, eq=False)
class SumRule:
    """The rule gold: what the answer and the length of a response are worth."""

    notation: Notation
    weights: SumWeights

    def score_terms(self, prompts: Tokens, responses: Tokens) -> dict[str, Floats]:
        """The three terms in raw gold units, weights applied, each (N,); their sum is the gold.

        answer  = w if the response ends with ``answer`` and the right digit, else 0.
        length  = -w max(0, L - (6 K + 3)) / 6: L tokens, EOS included; a solution of K operations
            that wastes nothing has 6 K + 3.
        silence = -w if the response ends without an answer.

        Args:
            prompts: N prompts of this world.
            responses: N responses, any tokens.

        Raises:
            UserError: if a prompt is not one of this world's.
        """
        problems = read_problems(self.notation, prompts)
        solutions = read_solutions(self.notation, responses)
        right_NT = solutions.answer_NT & (solutions.result_NT == problems.value_N[:, None])
        needed_N = STEP_TOKENS * problems.operations_N + ANSWER_TOKENS
        excess_N = np.maximum(0, responses.length_N - needed_N) / STEP_TOKENS
        return {
            "answer": self.weights.answer * right_NT.any(axis=1),
            "length": -self.weights.length * excess_N,
            "silence": -self.weights.silence * ~solutions.answer_NT.any(axis=1),
        }


def draw_rule(notation: Notation, rng: np.random.Generator) -> SumRule:
    """Weights log-normal (about 10 %) around sensible centers."""

    def jitter(center: float) -> float:
        return float(center * np.exp(0.1 * rng.standard_normal()))

    weights = SumWeights(answer=jitter(1.0), length=jitter(0.15), silence=jitter(0.3))
    return SumRule(notation, weights)
