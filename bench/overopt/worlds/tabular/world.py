"""The tabular world: so few responses that all of them are listed, and every sum is exact.

Prompts are three of five words, responses at most four tokens. The alphabet of a response is
everything that a policy can emit, that is every token but PAD: EOS, which ends it, and a = 7
symbols, the five words and the stray BOS and SEP. A response is k < 4 symbols and EOS, or four
symbols without EOS, so that their number is

    a^0 + a^1 + a^2 + a^3 + a^4 = 1 + 7 + 49 + 343 + 2401 = 2801,

and their probabilities add up to 1 under any autoregressive policy that gives PAD none. Of these
1 + 5 + 25 + 125 + 625 = 781 consist of words only; the reference writer writes no others.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt

from overopt.spec.world import WorldSpec
from overopt.worlds.contract import split_prompts, sum_terms
from overopt.worlds.tabular.rule import (
    FIRST_WORD,
    PROMPT_WORDS,
    WORDS,
    TableRule,
    draw_rule,
    misunderstand,
)
from overopt.worlds.tokens import BOS, EOS, SEP, SPECIALS, Tokens

Floats = npt.NDArray[np.float64]

RESPONSE_TOKENS_MAX = 4
PROMPTS_MAX = WORDS**PROMPT_WORDS
"""Distinct prompts: 5 x 5 x 5 = 125."""

_POOL = "amber azure coral ebony ivory jade khaki lilac ochre pearl rose teal"
# How many words the reference writer would use if all responses pleased it alike, 0 .. 4.
_LENGTH_SHARES = (0.02, 0.18, 0.25, 0.3, 0.25)

# Separates this world's draws from those of another kind with the same seed.
_STREAM = 0x7461_6275

SPEC = WorldSpec


@dataclass(frozen=True, eq=False)
class Tabular:
    """A tabular world (see ``worlds.contract.World``).

    taste: the rule as the reference writer misunderstands it.
    reference_strength: log odds per SD of that taste with which the writer prefers a response.
    """

    vocabulary: tuple[str, ...]
    train_prompts: Tokens
    heldout_prompts: Tokens
    response_tokens_max: int
    responses: Tokens
    rule: TableRule
    taste: TableRule
    reference_strength: float

    def references(self, prompts: Tokens, rng: np.random.Generator) -> Tokens:
        """One response for each of the N prompts, with EOS unless the four tokens are used up.

        Drawn exactly from p(y | x) proportional to l(k) 5^-k exp(b z(x, y)) over the 781 responses
        of words only: k words, l ``_LENGTH_SHARES``, z the writer's taste standardized over the
        781, b ``reference_strength``.
        """
        plain = self._plain_responses()
        distinct_BT, prompt_N = np.unique(prompts.ids_NT, axis=0, return_inverse=True)
        distinct = Tokens.from_padded(distinct_BT)
        rows = plain.rows()
        taste_BR = sum_terms(
            self.taste.score_terms(
                distinct.take(np.repeat(np.arange(distinct.rows()), rows)),
                plain.take(np.tile(np.arange(rows), distinct.rows())),
            )
        ).reshape(distinct.rows(), rows)
        taste_BR -= taste_BR.mean(axis=1, keepdims=True)
        taste_BR /= taste_BR.std(axis=1, keepdims=True)
        words_R = plain.length_N - plain.finished_N
        prior_R = np.array(_LENGTH_SHARES)[words_R] / float(WORDS) ** words_R
        edge_BR = (prior_R * np.exp(self.reference_strength * taste_BR)).cumsum(axis=1)
        edge_BR /= edge_BR[:, -1:]
        drawn_N = rng.random(prompts.rows())
        # Row b of the edges is shifted by b, so that one search serves every prompt.
        flat = (edge_BR + np.arange(len(edge_BR))[:, None]).ravel()
        row_N = prompt_N.reshape(-1)
        chosen_N = np.searchsorted(flat, drawn_N + row_N, side="right") - row_N * rows
        return plain.take(np.minimum(chosen_N, rows - 1))

    def gold(self, prompts: Tokens, responses: Tokens) -> Floats:
        """Rule gold in raw units, (N,): the sum of ``gold_terms``."""
        return sum_terms(self.gold_terms(prompts, responses))

    def gold_terms(self, prompts: Tokens, responses: Tokens) -> dict[str, Floats]:
        """The terms of ``TableRule.score_terms``, each (N,)."""
        return self.rule.score_terms(prompts, responses)

    def _plain_responses(self) -> Tokens:
        stray_RT = np.isin(self.responses.ids_NT, (BOS, SEP))
        return self.responses.take(np.flatnonzero(~stray_RT.any(axis=1)))


def enumerate_responses(symbols: list[int], tokens_max: int) -> Tokens:
    """Every response over the symbols: shorter ones ended by EOS, the longest cut without it.

    Args:
        symbols: ids of the a tokens that may stand before EOS.
        tokens_max: longest response, EOS included.

    Returns:
        All sum over k <= tokens_max of a^k responses, shorter ones first.
    """
    rows = [
        [*words, EOS] if length < tokens_max else list(words)
        for length in range(tokens_max + 1)
        for words in product(symbols, repeat=length)
    ]
    flat = np.array([token for row in rows for token in row], dtype=np.int32)
    return Tokens.from_flat(flat, np.array([len(row) for row in rows]))


def build(spec: WorldSpec) -> Tabular:
    """The tabular world of the specification's seed.

    Raises:
        UserError: if training and held-out prompts together are more than there are.
    """
    words_rng, rule_rng, writer_rng, prompts_rng = (
        np.random.default_rng(sequence)
        for sequence in np.random.SeedSequence([_STREAM, spec.seed]).spawn(4)
    )
    pool = _POOL.split()
    drawn = [pool[int(index)] for index in words_rng.permutation(len(pool))[:WORDS]]
    words = list(range(FIRST_WORD, FIRST_WORD + WORDS))
    asked_B3 = np.array(list(product(words, repeat=PROMPT_WORDS)))
    asked_B3 = asked_B3[prompts_rng.permutation(PROMPTS_MAX)]
    prompts = Tokens.from_padded(
        np.pad(asked_B3, ((0, 0), (1, 1)), constant_values=((0, 0), (BOS, SEP)))
    )
    train_prompts, heldout_prompts = split_prompts(prompts, spec)
    rule = draw_rule(rule_rng)
    return Tabular(
        vocabulary=(*SPECIALS, *drawn),
        train_prompts=train_prompts,
        heldout_prompts=heldout_prompts,
        response_tokens_max=RESPONSE_TOKENS_MAX,
        responses=enumerate_responses([BOS, SEP, *words], RESPONSE_TOKENS_MAX),
        rule=rule,
        taste=misunderstand(rule, writer_rng),
        reference_strength=1.0,
    )
