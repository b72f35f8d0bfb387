"""How often the rules err on planted data: the table of docs/papers.md, drawn again."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from overopt.stats.verdicts.decide import decide
from overopt.stats.verdicts.estimate import estimate
from overopt.stats.verdicts.evidence import Estimate, Evidence, Side
from overopt.stats.verdicts.rules import (
    difference,
    equivalence,
    hump,
    no_hump,
    ordering,
    single,
)

SEEDS, PROMPTS, DRAWS = 5, 32, 4000

Plant = Callable[[float], Estimate]


def planter(generator: np.random.Generator) -> Plant:
    """Means of seeds by prompts with errors of both and of each cell."""

    def plant(effect: float) -> Estimate:
        of_seed = generator.normal(0.0, 0.05, (SEEDS, 1))
        of_prompt = generator.normal(0.0, 0.2, (1, PROMPTS))
        rest = generator.normal(0.0, 0.5, (SEEDS, PROMPTS))
        return estimate({0: effect + of_seed + of_prompt + rest})

    return plant


CASES: dict[str, tuple[Callable[[Plant], Evidence], Side | None]] = {
    "difference 0": (lambda p: single(difference("", p(0.0))), None),
    "difference 0.3": (lambda p: single(difference("", p(0.3))), "reproduced"),
    "equivalence at its margin": (lambda p: single(equivalence("", p(0.1))), None),
    "equivalence 0.4": (lambda p: single(equivalence("", p(0.4))), "contradicted"),
    "hump 0.3": (lambda p: single(hump("", p(0.6), p(0.3))), "reproduced"),
    "no hump, rising": (lambda p: single(no_hump("", p(-0.2))), "reproduced"),
    "no hump 0.3": (lambda p: single(no_hump("", p(0.3))), "contradicted"),
    "order, equal": (
        lambda p: ordering([difference("", p(0.0)), difference("", p(0.0))]),
        None,
    ),
    "order, steps of 0.3": (
        lambda p: ordering([difference("", p(0.3)), difference("", p(0.3))]),
        "reproduced",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_rules_err_as_rarely_as_they_say(name: str) -> None:
    """A verdict against the truth: at most 2.5 % a side; the right one: at least 95 %."""
    make, right = CASES[name]
    plant = planter(np.random.default_rng(0))
    sides = [decide([make(plant)])[0].side for _ in range(DRAWS)]
    margin = 3 * (0.025 * 0.975 / DRAWS) ** 0.5
    if right is None:
        for side in ("reproduced", "contradicted"):
            assert sides.count(side) / DRAWS <= 0.025 + margin
    else:
        assert sides.count(right) / DRAWS >= 0.95


@pytest.mark.slow
def test_a_fall_that_counts_for_nothing_reproduces_no_hump_claim_too_often() -> None:
    """No fall at all must not be a hump, nor a fall of the margin be none, beyond 2.5 %."""
    plant = planter(np.random.default_rng(1))
    none = [decide([single(hump("", plant(0.6), plant(0.0)))])[0].side for _ in range(DRAWS)]
    edge = [decide([single(no_hump("", plant(0.05)))])[0].side for _ in range(DRAWS)]
    margin = 3 * (0.025 * 0.975 / DRAWS) ** 0.5
    assert none.count("reproduced") / DRAWS <= 0.025 + margin
    assert edge.count("reproduced") / DRAWS <= 0.025 + margin


@pytest.mark.slow
def test_fifteen_claims_of_nothing_rarely_have_a_verdict() -> None:
    plant = planter(np.random.default_rng(2))
    papers = [decide([single(difference("", plant(0.0))) for _ in range(15)]) for _ in range(1000)]
    wrong = sum(any(one.side for one in paper) for paper in papers)
    assert wrong <= 50 + 3 * (1000 * 0.05 * 0.95) ** 0.5
