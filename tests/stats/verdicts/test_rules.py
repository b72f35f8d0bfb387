"""Rules on planted data: what each says of a known effect, and how often it errs."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import t as student

from overopt.stats.arrays import Floats
from overopt.stats.crossed import crossed_parts
from overopt.stats.error_parts import ErrorPart, half_width
from overopt.stats.verdicts.decide import decide
from overopt.stats.verdicts.estimate import estimate
from overopt.stats.verdicts.evidence import Estimate, Evidence, Part
from overopt.stats.verdicts.rules import (
    difference,
    equivalence,
    every,
    hump,
    no_hump,
    no_worse,
    ordering,
    single,
    within,
)

SEEDS, PROMPTS = 5, 32


def known(mean: float, se: float = 1.0, df: float = 4.0) -> Estimate:
    return Estimate(mean, (ErrorPart(se**2, df),), 5, 1, "seeds")


def test_p_values_are_twice_the_tail_of_student_s_t() -> None:
    assert known(2.0).p_above(0.0) == pytest.approx(2 * student.sf(2.0, 4))
    assert known(2.0).p_below(5.0) == pytest.approx(2 * student.sf(3.0, 4))
    assert known(2.0).p_above(2.5) == 1.0


def test_an_interval_and_its_p_value_agree() -> None:
    edge = student.ppf(0.975, 4)
    assert known(edge + 1e-6).p_above(0.0) < 0.05 < known(edge - 1e-6).p_above(0.0)
    low, _ = known(edge).bounds or (math.nan, math.nan)
    assert low == pytest.approx(0.0, abs=1e-12)


def test_one_number_without_an_error_shows_nothing() -> None:
    alone = estimate({0: np.array([[3.0]])})
    assert alone.bounds is None
    assert single(difference("", alone)).p_of == {"reproduced": 1.0, "contradicted": 1.0}


def test_a_difference_needs_its_margin() -> None:
    small = known(0.04, se=0.001)
    assert difference("", small).side == "reproduced"
    assert difference("", small, margin=0.05).side is None
    assert "below 0.05" in difference("", small, margin=0.05).note
    assert difference("", known(-0.04, se=0.001), margin=0.05).side == "contradicted"


@pytest.mark.parametrize(
    ("mean", "side"), [(0.0, "reproduced"), (0.3, "contradicted"), (-0.3, "contradicted")]
)
def test_an_equivalence_lies_inside_its_margin_or_outside(mean: float, side: str) -> None:
    assert equivalence("", known(mean, se=0.01)).side == side
    assert equivalence("", known(mean, se=1.0)).side is None


def test_bounds_may_be_infinite() -> None:
    assert within("", known(0.2, se=0.01), -math.inf, 0.5).side == "reproduced"
    assert within("", known(0.7, se=0.01), -math.inf, 0.5).side == "contradicted"
    assert no_worse("", known(-0.02, se=0.01), 0.05).side == "reproduced"


def test_a_hump_rises_and_falls() -> None:
    rise, fall, none = known(0.5, se=0.01), known(0.3, se=0.01), known(0.0, se=0.01)
    assert hump("", rise, fall, [fall]).side == "reproduced"
    assert hump("", known(-0.2, se=0.01), fall, [fall]).side is None  # falls, but never rose
    assert hump("", rise, none, [none]).side == "contradicted"
    assert hump("", rise, known(0.1, se=0.2), [known(0.1, se=0.2)]).side is None


def test_a_fall_that_counts_for_nothing_decides_nothing() -> None:
    rise, tiny = known(0.5, se=0.01), known(0.02, se=0.001)
    assert hump("", rise, tiny, [tiny]).side is None
    assert no_hump("", tiny, [tiny]).side is None


def test_no_hump_is_the_reverse() -> None:
    fall, none = known(0.3, se=0.01), known(0.0, se=0.01)
    assert no_hump("", none, [none]).side == "reproduced"
    assert no_hump("", fall, [fall]).side == "contradicted"


def test_gold_does_not_fall_where_it_does_from_no_budget() -> None:
    """Whatever the fall from the chosen peak is: where all choose the end, it is 0 for sure."""
    sure, low, open_ = Estimate(0.0, (), 5, 1, ""), known(-0.5, se=0.01), known(0.0, se=0.2)
    assert no_hump("", sure, [low, low]).side == "reproduced"
    assert no_hump("", sure, [low, open_]).side is None
    assert hump("", known(0.5, se=0.01), sure, [low, open_]).side is None
    assert no_hump("", sure, []).side is None  # nothing before the end


def test_equal_numbers_are_judged_by_their_signs() -> None:
    """Two seeds on one step of a grid say little of a third: 2/4; eight of eight have 2/256."""
    found = estimate({0: np.full((2, 1), 8.0)})
    assert (found.mean, found.bounds) == (8.0, None)
    assert (found.p_above(0.0), found.p_below(9.0), found.p_below(8.0)) == (0.5, 0.5, 1.0)
    assert estimate({0: np.full((8, 1), 8.0)}).p_above(0.0) == pytest.approx(2 / 256)
    rounded = estimate({0: np.full((3, 4), 0.1) + 0.2})  # equal, whatever their variance rounds to
    assert (rounded.bounds, rounded.p_above(0.0)) == (None, 0.25)
    for worlds in (3, 6):
        for value in (0.1, 0.4, 0.8, 7**0.5):
            alike = estimate({w: np.full((5, 1), value) for w in range(worlds)})
            assert alike.p_above(0.0) == 2 / 2**worlds


def test_interval_and_p_value_are_those_of_comparisons() -> None:
    """By Banerjee: sqrt(t_4^2 V_seed + t_31^2 V_prompt), and half of that for two such worlds."""
    table = planted(np.random.default_rng(5), 0.3)
    seed, prompt = crossed_parts(table)
    half = math.hypot(
        student.ppf(0.975, 4) * math.sqrt(seed.variance),
        student.ppf(0.975, 31) * math.sqrt(prompt.variance),
    )
    one, two = estimate({0: table}), estimate({0: table, 1: table})
    assert one.bounds == pytest.approx((one.mean - half, one.mean + half))
    assert two.bounds == pytest.approx((one.mean - half / 2**0.5, one.mean + half / 2**0.5))
    assert one.p_above(one.mean - half) == pytest.approx(0.05)
    strict = half_width((seed, prompt), 0.05 / 19)
    assert one.p_above(one.mean - strict) == pytest.approx(0.05 / 19)


def part(p_for: float, p_against: float = 1.0) -> Part:
    return Part("", known(0.0), p_for, p_against)


def test_a_claim_of_several_things_needs_all_of_them() -> None:
    assert every([part(0.01), part(0.04)]).p_of["reproduced"] == 0.04
    assert every([part(1.0, 0.01), part(0.04)]).p_of["contradicted"] == 0.02


def test_an_ordering_may_hold_in_part() -> None:
    (found,) = decide([ordering([part(0.001), part(0.3), part(0.4)])])
    assert found.side == "partly reproduced"
    (whole,) = decide([ordering([part(0.001), part(0.01)])])
    assert whole.side == "reproduced"
    (against,) = decide([ordering([part(0.001), part(1.0, 0.001)])])
    assert against.side == "contradicted"


def test_holm_steps_down_over_the_claims() -> None:
    claims = [single(part(p)) for p in (0.03, 0.01, 0.2)]
    first, second, third = decide(claims)
    # 0.01 * 3 <= 0.05; then 0.03 * 2 = 0.06 does not pass
    assert [first.side, second.side, third.side] == [None, "reproduced", None]
    assert first.before_holm == "reproduced"
    assert [one.p_holm for one in (first, second, third)] == pytest.approx([0.06, 0.03, 0.2])


def test_a_true_part_lends_the_whole_no_level() -> None:
    """Orderings of one certain pair and one at .03: reproduced if alone, not as one of three."""
    claims = [ordering([part(1e-9), part(0.03)]) for _ in range(3)]
    assert {one.side for one in decide(claims)} == {"partly reproduced"}
    assert {one.before_holm for one in decide(claims)} == {"reproduced"}
    generator, false, draws = np.random.default_rng(2), 0, 2000
    for _ in range(draws):
        p_C = generator.uniform(size=6)
        found = decide([ordering([part(1e-9), part(p)]) for p in p_C])
        false += any(one.side == "reproduced" for one in found)
    assert false / draws < 0.05 + 3 * (0.05 * 0.95 / draws) ** 0.5


def test_no_claims_have_no_verdicts() -> None:
    assert decide([]) == []


def planted(generator: np.random.Generator, effect: float, seeds: int = SEEDS) -> Floats:
    """Seeds by prompts with both kinds of error and a known mean."""
    of_seed = generator.normal(0.0, 0.05, (seeds, 1))
    of_prompt = generator.normal(0.0, 0.2, (1, PROMPTS))
    rest = generator.normal(0.0, 0.5, (seeds, PROMPTS))
    return effect + of_seed + of_prompt + rest


def test_false_verdicts_are_rare_and_power_is_there() -> None:
    """200 draws: at 0.02 the standard error is about 0.06, so that 0.4 is plain and 0 nothing."""
    generator = np.random.default_rng(0)
    null = [difference("", estimate({0: planted(generator, 0.0)})).side for _ in range(200)]
    plain = [difference("", estimate({0: planted(generator, 0.4)})).side for _ in range(200)]
    assert sum(side is not None for side in null) <= 20  # 10 expected, 20 is 3.2 sigma
    assert plain.count("reproduced") >= 190
    assert "contradicted" not in plain


def test_a_family_of_true_nulls_rarely_has_any_verdict() -> None:
    generator = np.random.default_rng(1)

    def any_false() -> bool:
        claims: list[Evidence] = [
            single(difference("", estimate({0: planted(generator, 0.0)}))) for _ in range(10)
        ]
        return any(one.side is not None for one in decide(claims))

    assert sum(any_false() for _ in range(60)) <= 9  # 3 expected at 5 %
