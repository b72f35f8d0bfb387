"""What a world has to show before ranks in it mean anything: checks of plain numbers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

from overopt.report.tables.text import show_number

Verdict = Literal["PASS", "FAIL", "DEGENERATE", "NO RESULT"]
"""PASS: all checks hold. DEGENERATE: a control is out of order, so that gold, or the world, does
not measure what it should. FAIL: the controls are in order, but overoptimization does not show, or
the design is too small to tell. NO RESULT: nothing was run, and nothing is admitted."""

Outcome = Literal["holds", "fails", "degenerate"]

SURE = 0.05
"""Level of each test of two controls."""

MATERIAL = 0.1
"""Gold that a random reward may gain or lose, as a share of what gold itself gains."""

SEEN = 0.5
"""The design must see a difference of this share of what gold itself gains."""

FEWEST_WORLDS, FEWEST_SEEDS = 3, 5


class Gain(NamedTuple):
    """Gold at one KL: its mean and 95 % interval, SDs of the initial policy; all NaN if unknown."""

    mean: float
    low: float
    high: float


class Apart(NamedTuple):
    """Gold against one reward less gold against another, at the same KL, in the same cells.

    p: of no difference; 1 where there is no test. sees: smallest difference that is declared with
    80 % power; NaN where there is none.
    """

    mean: float
    p: float
    sees: float

    @property
    def above(self) -> bool:
        """Whether the first is shown to be higher."""
        return self.mean > 0 and self.p <= SURE


class Measured(NamedTuple):
    """What was measured of a task, in one of its worlds or over all of them.

    Attributes:
        task: its name.
        whole: whether this is the task, over all worlds that were run, and not one of several.
        worlds: seeds of the worlds.
        seeds: seeds in the world that has the fewest.
        method: the optimizer.
        kl_nats: where rewards are compared.
        peak: gold of the proxy's peak, as every table has it.
        peak_kl_nats: KL there.
        fall: gold at the end less gold at the peak; NaN where the peak is the end.
        end_kl_nats: KL at the end.
        gold, proxy, random, longest: gold at ``kl_nats`` against each reward; of the longest at
            ``longest_kl_nats``, since ties keep it from going further.
        longest_kl_nats: as far as it got.
        constant_kl_nats: largest KL that any seed reached against a constant reward.
        constant_gold: gold there; 0 at the initial policy.
        gold_proxy, proxy_random, gold_longest: how far apart two of them are.
    """

    task: str
    whole: bool
    worlds: tuple[int, ...]
    seeds: int
    method: str
    kl_nats: float
    peak: Gain
    peak_kl_nats: float
    fall: Gain
    end_kl_nats: float
    gold: Gain
    proxy: Gain
    random: Gain
    longest: Gain
    longest_kl_nats: float
    constant_kl_nats: float
    constant_gold: Gain
    gold_proxy: Apart
    proxy_random: Apart
    gold_longest: Apart


class Check(NamedTuple):
    """One check with its outcome, and the numbers that decided it in words."""

    name: str
    outcome: Outcome
    reason: str


def judge(found: Measured) -> tuple[Verdict, tuple[Check, ...]]:
    """The verdict of a world or a task, and every check behind it."""
    checks = tuple(_checks(found))
    outcomes = {one.outcome for one in checks}
    if "degenerate" in outcomes:
        return "DEGENERATE", checks
    return ("FAIL" if "fails" in outcomes else "PASS"), checks


def _checks(one: Measured) -> Iterator[Check]:
    yield _control(
        "gold rises against itself",
        one.gold.low > 0,
        f"gold against gold itself is {_show(one.gold)} at {one.kl_nats:.3g} nats",
    )
    limit = MATERIAL * abs(one.gold.mean)
    drifts = (one.random.low > 0 or one.random.high < 0) and abs(one.random.mean) > limit
    known = one.random.mean == one.random.mean
    yield _control(
        "random does nothing",
        known and not drifts,
        f"gold against a random reward is {_show(one.random)}; allowed are 0 or ±{limit:.2f}",
    )
    # where some seeds move and others do not, gold is not read, and nothing is shown
    still = one.constant_kl_nats == 0 or one.constant_gold.low <= 0
    yield _control(
        "constant gains nothing",
        still,
        f"against a constant reward the policy gets {one.constant_kl_nats:.3g} nats far"
        + (f", gold {_show(one.constant_gold)}" if one.constant_kl_nats > 0 else ""),
    )
    yield _control(
        "gold is more than length",
        one.gold_longest.above,
        f"gold itself less the longest, at {one.longest_kl_nats:.3g} nats: "
        f"{_show_apart(one.gold_longest)}",
    )
    yield _plain(
        "gold beats the proxy",
        one.gold_proxy.above,
        f"gold itself less the proxy: {_show_apart(one.gold_proxy)}",
    )
    yield _plain(
        "the proxy beats random",
        one.proxy_random.above,
        f"the proxy less random: {_show_apart(one.proxy_random)}",
    )
    yield _plain(
        "gold rises",
        one.peak.low > 0,
        f"gold against the proxy is {_show(one.peak)} at its peak, {one.peak_kl_nats:.3g} nats",
    )
    yield _plain(
        "gold falls",
        one.fall.high < 0,
        f"from peak to end, {one.end_kl_nats:.3g} nats: {_show(one.fall)}"
        if one.fall.mean == one.fall.mean
        else "the peak is the end",
    )
    least = SEEN * one.gold.mean
    yield _plain(
        "power",
        one.proxy_random.sees <= least,
        f"the design sees {_number(one.proxy_random.sees)}; it must see {least:.2f}",
    )
    yield _plain(
        "enough seeds",
        one.seeds >= FEWEST_SEEDS,
        f"{one.seeds} seeds in a world; {FEWEST_SEEDS} are asked for",
    )
    if one.whole:
        yield _plain(
            "enough worlds",
            len(one.worlds) >= FEWEST_WORLDS,
            f"worlds: {len(one.worlds)}; {FEWEST_WORLDS} are asked for",
        )


def _control(name: str, holds: bool, reason: str) -> Check:
    return Check(name, "holds" if holds else "degenerate", reason)


def _plain(name: str, holds: bool, reason: str) -> Check:
    return Check(name, "holds" if holds else "fails", reason)


def _number(value: float) -> str:
    return "nothing" if value != value else show_number(value, 2)


def _show(one: Gain) -> str:
    if one.mean != one.mean:
        return "not measured"
    if one.low != one.low:
        return show_number(one.mean, 2)
    return f"{show_number(one.mean, 2)} [{show_number(one.low, 2)}, {show_number(one.high, 2)}]"


def _show_apart(one: Apart) -> str:
    if one.mean != one.mean:
        return "not measured"
    p = "p < 0.001" if one.p < 0.001 else f"p = {one.p:.3f}"
    return f"{show_number(one.mean, 2)}, {p}"
