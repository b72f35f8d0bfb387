"""The arithmetic world: small sums worked out step by step, whose answers can be checked.

A prompt is a chain of operations, ``<bos> 3 + 4 - 2 + 1 <sep>``; a response works it out,
``3 + 4 = 7 ; 7 - 2 = 5 ; 5 + 1 = 6 ; answer 6 <eos>``. Responses may be twice as long as that, so
that there is room for steps that are right and lead nowhere. The order of the symbols, the
writer's weaknesses, the weights of the rule and the order of the problems are generated from the
world's seed; sums are true in all of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from overopt.spec.world import WorldSpec
from overopt.worlds.arithmetic.notation import (
    Notation,
    draw_notation,
    list_problems,
    read_problems,
)
from overopt.worlds.arithmetic.rule import SumRule, draw_rule
from overopt.worlds.arithmetic.solutions import judge_steps, read_solutions, step_ends
from overopt.worlds.arithmetic.writer import TOKENS_MAX, SumWriter, draw_habits
from overopt.worlds.contract import split_prompts, sum_terms
from overopt.worlds.steps import StepTruth
from overopt.worlds.tokens import Tokens

RESPONSE_TOKENS_MAX = TOKENS_MAX + 1
"""40 tokens: the writer's longest solution is never cut off."""

# Separates this world's draws from those of another kind with the same seed.
_STREAM = 0x7375_6D73

SPEC = WorldSpec


@dataclass(frozen=True, eq=False)
class Arithmetic:
    """An arithmetic world (see ``worlds.contract.World`` and ``worlds.steps.Stepwise``)."""

    notation: Notation
    train_prompts: Tokens
    heldout_prompts: Tokens
    response_tokens_max: int
    responses: Tokens | None
    rule: SumRule
    writer: SumWriter

    @property
    def vocabulary(self) -> tuple[str, ...]:
        """Word of every token id."""
        return self.notation.words

    def references(self, prompts: Tokens, rng: np.random.Generator) -> Tokens:
        """One solution by the careless writer, with EOS, for each of the N prompts."""
        return self.writer.write(prompts, rng)

    def gold(self, prompts: Tokens, responses: Tokens) -> npt.NDArray[np.float64]:
        """Rule gold in raw units, (N,): the sum of ``gold_terms``."""
        return sum_terms(self.gold_terms(prompts, responses))

    def gold_terms(self, prompts: Tokens, responses: Tokens) -> dict[str, npt.NDArray[np.float64]]:
        """The terms of ``SumRule.score_terms``, each (N,)."""
        return self.rule.score_terms(prompts, responses)

    def step_ends(self, responses: Tokens) -> npt.NDArray[np.bool_]:
        """True at every ``;`` and at each response's last token, (N, T)."""
        return step_ends(self.notation, responses)

    def step_truth(self, prompts: Tokens, responses: Tokens) -> StepTruth:
        """Which steps are true sums or the right answer, and which of them go on.

        Raises:
            UserError: if a prompt is not one of this world's.
        """
        problems = read_problems(self.notation, prompts)
        return judge_steps(problems, read_solutions(self.notation, responses))

    def answers(self, responses: Tokens) -> npt.NDArray[np.int64]:
        """The digit that each response says as its answer, (N,); -1 where it says none."""
        read = read_solutions(self.notation, responses)
        said_NT = np.where(read.answer_NT, read.result_NT, -1)
        return np.asarray(said_NT.max(axis=1), np.int64)


def build(spec: WorldSpec) -> Arithmetic:
    """The arithmetic world of the specification's seed.

    Raises:
        UserError: if training and held-out prompts together are more than there are.
    """
    words_rng, rule_rng, writer_rng, prompts_rng = (
        np.random.default_rng(sequence)
        for sequence in np.random.SeedSequence([_STREAM, spec.seed]).spawn(4)
    )
    notation = draw_notation(words_rng)
    problems = list_problems(notation)
    shuffled = problems.take(prompts_rng.permutation(problems.rows()))
    train_prompts, heldout_prompts = split_prompts(shuffled, spec)
    return Arithmetic(
        notation=notation,
        train_prompts=train_prompts,
        heldout_prompts=heldout_prompts,
        response_tokens_max=RESPONSE_TOKENS_MAX,
        responses=None,
        rule=draw_rule(notation, rule_rng),
        writer=SumWriter(notation, draw_habits(writer_rng)),
    )
