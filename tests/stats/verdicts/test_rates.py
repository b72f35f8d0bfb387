"""How often the rules err on planted data: the table of docs/papers.md, drawn again."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest

from overopt.stats.rise_fall import Budgets, read_peaks
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
MARGIN = 3 * (0.025 * 0.975 / DRAWS) ** 0.5
BOTH: tuple[Side, ...] = ("reproduced", "contradicted")

Plant = Callable[[float], Estimate]
Curve = tuple[float, ...]
RISE: Curve = (0.3, 0.6, 0.8)
"""Gold at the first budgets of every planted curve; what follows says whether it falls."""


def planter(generator: np.random.Generator) -> Plant:
    """Means of seeds by prompts with errors of both and of each cell."""

    def plant(effect: float) -> Estimate:
        of_seed = generator.normal(0.0, 0.05, (SEEDS, 1))
        of_prompt = generator.normal(0.0, 0.2, (1, PROMPTS))
        rest = generator.normal(0.0, 0.5, (SEEDS, PROMPTS))
        return estimate({0: effect + of_seed + of_prompt + rest})

    return plant


class Read(NamedTuple):
    """What the rules of humps read of a curve."""

    rise: Estimate
    fall: Estimate
    falls: list[Estimate]


def reader(generator: np.random.Generator) -> Callable[[Curve], Read]:
    """Curves with the same errors at each budget, read as everywhere: the peak is chosen."""

    def read(gold_K: Curve) -> Read:
        mean_K = np.array([0.0, *gold_K])[None, :, None]
        of_seed = generator.normal(0.0, 0.05, (SEEDS, mean_K.size, 1))
        of_prompt = generator.normal(0.0, 0.2, (1, mean_K.size, PROMPTS))
        rest = generator.normal(0.0, 0.5, (SEEDS, mean_K.size, PROMPTS))
        error_SKB = of_seed + of_prompt + rest
        error_SKB[:, 0] = 0.0
        gold_SKB = mean_K + error_SKB
        nats_K = np.arange(mean_K.size)
        peak_SB = read_peaks(Budgets(gold_SKB, np.tile(nats_K, (SEEDS, 1)), nats_K)).gold_SB
        end_SB = gold_SKB[:, -1]
        falls = [estimate({0: gold_SKB[:, k] - end_SB}) for k in range(1, mean_K.size - 1)]
        return Read(estimate({0: peak_SB}), estimate({0: peak_SB - end_SB}), falls)

    return read


def hump_of(read: Read) -> Evidence:
    return single(hump("", read.rise, read.fall, read.falls))


def no_hump_of(read: Read) -> Evidence:
    return single(no_hump("", read.fall, read.falls))


CASES: dict[str, tuple[Callable[[Plant], Evidence], Side | None]] = {
    "difference 0": (lambda p: single(difference("", p(0.0))), None),
    "difference 0.3": (lambda p: single(difference("", p(0.3))), "reproduced"),
    "equivalence at its margin": (lambda p: single(equivalence("", p(0.1))), None),
    "equivalence 0.4": (lambda p: single(equivalence("", p(0.4))), "contradicted"),
    "order, equal": (
        lambda p: ordering([difference("", p(0.0)), difference("", p(0.0))]),
        None,
    ),
    "order, steps of 0.3": (
        lambda p: ordering([difference("", p(0.3)), difference("", p(0.3))]),
        "reproduced",
    ),
}
CURVES: dict[str, tuple[Callable[[Read], Evidence], Curve, Side | None, tuple[Side, ...]]] = {
    "hump, no fall": (hump_of, (*RISE, 0.8), None, ("reproduced",)),
    "hump, fall 0.05": (hump_of, (*RISE, 0.75), None, ("contradicted",)),
    "hump, fall 0.4": (hump_of, (*RISE, 0.4), "reproduced", ("contradicted",)),
    "no hump, no fall": (no_hump_of, (*RISE, 0.8), None, ("contradicted",)),
    "no hump, fall 0.05": (no_hump_of, (*RISE, 0.75), None, ("reproduced",)),
    "no hump, fall 0.05 at once": (no_hump_of, (0.8, 0.75), None, ("reproduced",)),
    "no hump, fall 0.05 late": (no_hump_of, (*RISE, 0.8, 0.75), None, ("reproduced",)),
    "no hump, rising by 0.4": (no_hump_of, (*RISE, 1.2), "reproduced", ("contradicted",)),
    "no hump, fall 0.4": (no_hump_of, (*RISE, 0.4), "contradicted", ("reproduced",)),
}
"""A claim, gold along the budgets, the verdict that it must have (if any), and false ones."""


def err_rarely(sides: list[Side | None], right: Side | None, false: tuple[Side, ...]) -> None:
    """A false verdict: in at most 2.5 % of draws; the right one: in at least 95 %."""
    assert all(sides.count(side) / DRAWS <= 0.025 + MARGIN for side in false)
    assert right is None or sides.count(right) / DRAWS >= 0.95


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_rules_err_as_rarely_as_they_say(name: str) -> None:
    make, right = CASES[name]
    plant = planter(np.random.default_rng(0))
    false: list[Side] = [side for side in BOTH if side != right]
    err_rarely([decide([make(plant)])[0].side for _ in range(DRAWS)], right, tuple(false))


@pytest.mark.slow
@pytest.mark.parametrize("name", CURVES)
def test_rules_of_humps_err_as_rarely_where_the_peak_is_chosen(name: str) -> None:
    """No fall is a hump, a fall of the margin none, in at most 2.5 %."""
    make, gold_K, right, false = CURVES[name]
    read = reader(np.random.default_rng(1))
    err_rarely([decide([make(read(gold_K))])[0].side for _ in range(DRAWS)], right, false)


def test_a_fall_of_the_margin_is_rarely_none() -> None:
    """300 draws of a curve whose peak is hard to find; the fall read there said so in 1 of 8."""
    read = reader(np.random.default_rng(2))
    sides = [decide([no_hump_of(read((0.8, 0.75)))])[0].side for _ in range(300)]
    assert sides.count("reproduced") <= 15  # 7.5 expected at most, 15 is 2.8 sigma


@pytest.mark.slow
def test_fifteen_claims_of_nothing_rarely_have_a_verdict() -> None:
    plant = planter(np.random.default_rng(2))
    papers = [decide([single(difference("", plant(0.0))) for _ in range(15)]) for _ in range(1000)]
    wrong = sum(any(one.side for one in paper) for paper in papers)
    assert wrong <= 50 + 3 * (1000 * 0.05 * 0.95) ** 0.5
