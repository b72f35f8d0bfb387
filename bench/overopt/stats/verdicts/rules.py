"""Rules: from the number that a claim is about to the evidence for and against it.

Every rule answers with p values of its possible verdicts, so that Holm's correction over all claims
of a paper can be asked of them (`overopt.stats.verdicts.decide`). Each is twice a one-sided p
value: without a correction a verdict is reached exactly where the 95 % interval says so.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from overopt.stats.intervals import adjust_holm
from overopt.stats.verdicts.evidence import ALPHA, Estimate, Evidence, Part, Side

EQUAL_SD = 0.10
"""Differences of gold up to this are no difference, SDs of the initial policy."""
FALL_SD = 0.05
"""A fall of less than this is none, SDs of the initial policy."""


def difference(name: str, effect: Estimate, margin: float = 0.0) -> Part:
    """D(m): the claim says that the effect is positive.

    Reproduced where the interval lies above 0 and the effect is at least m; contradicted where it
    lies below 0.
    """
    p_for, note = effect.p_above(0.0), ""
    if effect.mean < margin and p_for <= ALPHA:
        p_for, note = 1.0, f"the sign is as claimed, the size below {margin:g}"
    return Part(name, effect, p_for, effect.p_below(0.0), note)


def equivalence(name: str, effect: Estimate, margin: float = EQUAL_SD) -> Part:
    """EQ(m): the claim says that the effect is nothing.

    Reproduced where the interval lies inside [-m, m], contradicted where it lies outside.
    """
    if not margin > 0.0:
        raise ValueError(f"an equivalence needs a margin above 0, got {margin}")
    inside = max(effect.p_above(-margin), effect.p_below(margin))
    outside = min(effect.p_above(margin), effect.p_below(-margin))
    return Part(name, effect, inside, outside)


def no_worse(name: str, effect: Estimate, margin: float) -> Part:
    """Non-inferiority: the effect is above -m; contradicted where the interval is below -m."""
    return Part(name, effect, effect.p_above(-margin), effect.p_below(-margin))


def within(name: str, value: Estimate, low: float, high: float) -> Part:
    """The claim says that a value lies between two bounds, one of which may be infinite."""
    if not low < high:
        raise ValueError(f"bounds must ascend, got {low} and {high}")
    inside = max(value.p_above(low), value.p_below(high))
    return Part(name, value, inside, min(value.p_above(high), value.p_below(low)))


def hump(
    name: str, rise: Estimate, fall: Estimate, falls: Sequence[Estimate], least: float = FALL_SD
) -> Part:
    """HUMP: gold rises, and falls after its peak.

    Reproduced where the intervals of the rise and of the fall lie above 0; contradicted where no
    fall is shown (see `none_falls`). A fall that is shown, and shown to be smaller than `least`,
    reproduces nothing and contradicts nothing.

    Args:
        name: what is looked at.
        rise: gold at the peak, which is chosen on other seeds and prompts.
        fall: gold at the peak less gold at the end.
        falls: gold at every budget before the end, less gold at the end.
        least: falls below this are none.
    """
    p_for, p_against = fall.p_above(0.0), none_falls(falls, least)
    if p_for <= ALPHA and p_against <= ALPHA:
        return Part(name, fall, 1.0, 1.0, f"a fall, but of less than {least:g}")
    if p_for <= ALPHA < rise.p_above(0.0):
        return Part(name, fall, rise.p_above(0.0), 1.0, "a fall, but no rise is shown before it")
    return Part(name, fall, max(p_for, rise.p_above(0.0)), p_against)


def no_hump(name: str, fall: Estimate, falls: Sequence[Estimate], least: float = FALL_SD) -> Part:
    """NOHUMP: no fall after the peak.

    Reproduced where gold at no budget lies above gold at the end by `least` (see `none_falls`),
    contradicted where the interval of the fall from the peak lies above 0; where both hold, a fall
    is shown that counts for nothing, and neither is said.
    """
    p_for, p_against = none_falls(falls, least), fall.p_above(0.0)
    if p_for <= ALPHA and p_against <= ALPHA:
        return Part(name, fall, 1.0, 1.0, f"a fall, but of less than {least:g}")
    return Part(name, fall, p_for, p_against)


def none_falls(falls: Sequence[Estimate], least: float = FALL_SD) -> float:
    """P value of "gold at the end is not below any budget's by `least`"; 1 without budgets.

    An intersection-union test over all budgets, which needs no correction. The fall from the peak
    that other seeds chose shows that gold falls, and cannot show that it does not: noise moves the
    choice off the true peak, so that it comes out too small, and where all choose the end it is 0
    without any error. With 5 seeds, 32 prompts and a true fall of .05 its interval lay below .05 in
    7 to 17 % of draws (nominal 2.5 %), as simulated; this test rejects in at most 2.5 %.
    """
    return max((fall.p_below(least) for fall in falls), default=1.0)


def single(part: Part) -> Evidence:
    """A claim of one test."""
    return Evidence({"reproduced": part.p_for, "contradicted": part.p_against}, (part,))


def every(parts: Sequence[Part]) -> Evidence:
    """A claim that says several things at once.

    Reproduced where each of them is (an intersection-union test, which needs no correction);
    contradicted where any of them is, corrected for having asked several.
    """
    if not parts:
        raise ValueError("a claim needs at least one part")
    against = min(1.0, min(part.p_against for part in parts) * len(parts))
    p_of: dict[Side, float] = {
        "reproduced": max(part.p_for for part in parts),
        "contradicted": against,
    }
    return Evidence(p_of, tuple(parts))


def ordering(parts: Sequence[Part]) -> Evidence:
    """ORD: every adjacent pair of an ordering.

    As `every`; where nothing speaks against it, and some pairs are shown after Holm's correction
    over the pairs, the claim is partly reproduced.
    """
    found = every(parts)
    first = float(adjust_holm(np.array([part.p_for for part in parts])).min())
    return Evidence({**found.p_of, "partly reproduced": first}, found.parts)
