"""Solutions read: where their steps end, which are right, which go on, and what they answer.

A step is ``3 + 4 = 7 ;``, and a solution ends with ``answer 8 <eos>``.
"""

from __future__ import annotations

from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from overopt.worlds.arithmetic.notation import Notation, Problems
from overopt.worlds.steps import StepTruth
from overopt.worlds.tokens import EOS, Tokens

Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Number = TypeVar("Number", np.int64, np.bool_)

STEP_TOKENS = 6
ANSWER_TOKENS = 3


class Solutions(NamedTuple):
    """N responses of at most T tokens, read as steps and an answer.

    end_NT: True at the last token of each step, see ``step_ends``.
    formed_NT: True where the step that ends here reads ``digit operator digit = digit ;``.
    answer_NT: True at the EOS of a response that ends with ``answer digit``.
    left_NT, sign_NT, right_NT, result_NT: parts of the step that ends here; of an answer its
        digit is the result. What they hold elsewhere means nothing.
    """

    end_NT: Flags
    formed_NT: Flags
    answer_NT: Flags
    left_NT: Integers
    sign_NT: Integers
    right_NT: Integers
    result_NT: Integers


def step_ends(notation: Notation, responses: Tokens) -> Flags:
    """True at the last token of each step, (N, T): at every ``;`` and at the response's last token.

    So the answer is a step, and what a response that was cut off has begun is one as well.
    """
    position_T = np.arange(responses.ids_NT.shape[1])
    last_NT = position_T == responses.length_N[:, None] - 1
    stop_NT = (responses.ids_NT == notation.id(";")) & responses.mask_NT
    ends_NT: Flags = stop_NT | last_NT
    return ends_NT


def read_solutions(notation: Notation, responses: Tokens) -> Solutions:
    """The steps and the answers of N responses, whatever tokens they are made of."""
    ids_NT = responses.ids_NT.astype(np.int64)
    end_NT = step_ends(notation, responses)
    stop_NT = (ids_NT == notation.id(";")) & responses.mask_NT
    left_NT, right_NT, result_NT = (
        _before(notation.value_V[ids_NT], back, -1) for back in (5, 3, 1)
    )
    sign_NT = _before(notation.sign_V[ids_NT], 4, 0)
    digits_NT = (left_NT >= 0) & (right_NT >= 0) & (result_NT >= 0)
    equals_NT = _before(ids_NT == notation.id("="), 2, 0)
    formed_NT = stop_NT & digits_NT & (sign_NT != 0) & equals_NT & _opens(stop_NT, STEP_TOKENS)
    spoken_NT = _before(ids_NT == notation.id("answer"), 2, 0) & _opens(stop_NT, ANSWER_TOKENS)
    final_NT = end_NT & (ids_NT == EOS)
    answer_NT = final_NT & spoken_NT & (result_NT >= 0)
    return Solutions(end_NT, formed_NT, answer_NT, left_NT, sign_NT, right_NT, result_NT)


def judge_steps(problems: Problems, solutions: Solutions) -> StepTruth:
    """Which steps are right, and which of those go on.

    A step is right if it is a true sum, whatever it is good for; the answer, if it is the
    problem's. A right step goes on if it carries out the operation that is due on the value
    reached so far (operands of a plus in either order). Neither a step done before nor
    ``7 + 0 = 7`` does, nor what is worked out from a wrong value; the right answer always does.

    Args:
        problems: what the N prompts ask.
        solutions: the N responses, read.
    """
    rows, width = solutions.end_NT.shape
    worked_NT = solutions.left_NT + solutions.sign_NT * solutions.right_NT
    true_NT = solutions.formed_NT & (worked_NT == solutions.result_NT)
    row_N = np.arange(rows)
    value_N, done_N = problems.start_N.copy(), np.zeros(rows, dtype=np.int64)
    progress_NT = np.zeros((rows, width), dtype=np.bool_)
    for t in range(width):
        left_N, right_N = solutions.left_NT[:, t], solutions.right_NT[:, t]
        due_N = np.minimum(done_N, problems.sign_NK.shape[1] - 1)
        sign_N, operand_N = problems.sign_NK[row_N, due_N], problems.operand_NK[row_N, due_N]
        swapped_N = (sign_N > 0) & (left_N == operand_N) & (right_N == value_N)
        fits_N = ((left_N == value_N) & (right_N == operand_N)) | swapped_N
        goes_on_N = true_NT[:, t] & fits_N & (solutions.sign_NT[:, t] == sign_N)
        goes_on_N &= done_N < problems.operations_N
        value_N = np.where(goes_on_N, solutions.result_NT[:, t], value_N)
        done_N += goes_on_N
        progress_NT[:, t] = goes_on_N
    right_NT = solutions.answer_NT & (solutions.result_NT == problems.value_N[:, None])
    return StepTruth(true_NT | right_NT, progress_NT | right_NT)


def _before(value_NT: npt.NDArray[Number], back: int, missing: int) -> npt.NDArray[Number]:
    """What stands ``back`` tokens before each token, ``missing`` before the first."""
    moved_NT = np.full_like(value_NT, missing)
    if back < value_NT.shape[1]:
        moved_NT[:, back:] = value_NT[:, :-back]
    return moved_NT


def _opens(stop_NT: Flags, tokens: int) -> Flags:
    """Whether a step of this many tokens that ends here would begin where a step may begin."""
    opens_NT: Flags = _before(stop_NT, tokens, 0)
    if stop_NT.shape[1] >= tokens:
        opens_NT[:, tokens - 1] = True
    return opens_NT
