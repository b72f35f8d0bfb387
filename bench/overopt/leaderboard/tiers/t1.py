"""T1: gold, proxy and reference log-probabilities recomputed from the tokens, in the named worlds.

The initial policy, the gold, the pool and the proxies of every cell are built by our own code from
the seeds; the method is not needed. What was submitted must agree, and so must the columns of the
table that follow from it (``columns``). Gold is a rule and agrees to
the last digits. Policies and proxies are trained, and on another processor their weights differ a
little: the tolerances below are wider than that (``submissions.md`` has what was measured) and
narrower than anything that would move a point by what its interval says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from overopt.leaderboard.submission.pages import Samples
from overopt.leaderboard.submission.parts import Cell
from overopt.leaderboard.submission.reading import read_submission
from overopt.leaderboard.submission.schema import SubmittedRun
from overopt.leaderboard.submission.verdict import Asked, Finding, found
from overopt.leaderboard.tiers.columns import Draws, judge_columns
from overopt.leaderboard.tiers.completeness import place_of
from overopt.leaderboard.tiers.ours import Recomputed
from overopt.leaderboard.tiers.rebuilt import rebuild, refuse_foreign
from overopt.leaderboard.tiers.recomputing import Judge, problem_of_tokens
from overopt.leaderboard.tiers.t0 import points_of, samples_of

Floats = npt.NDArray[np.float64]

GOLD_TOLERANCE = 1e-5
"""Raw units, for a rule; a gold that is a model has the tolerance of trained models."""
SHIFT_NATS = 0.005
"""Mean difference of the reference's log-probabilities over a point: it moves its KL by as much."""
SPREAD_NATS = 0.02
"""Root mean square difference of them over a point."""
SHIFT_SD = 0.02
SPREAD_SD = 0.1
"""The same of a proxy's or a trained gold's scores, in SDs of the initial policy."""
SCALES = 0.02
"""Of the pool's mean gold (SDs) and the SD of gold (its share)."""
ZERO_ERRORS = 4.0
"""Standard errors by which the zero of the proxy may differ: which responses recenter it is a
convention that has changed from version to version, and no score but the proxy's own reads it."""
IN_POOL = 0.99
"""Share of a reweighting method's draws that must stand in the initial policy's pool."""


@dataclass(frozen=True)
class Gap:
    """How far a column is from ours: the largest over points of mean and RMS difference."""

    shift: float
    spread: float
    row: int


def judge(asked: Asked, told: Callable[[str], None]) -> list[Finding]:
    """Everything that T1 finds; T0 has found the submission whole."""
    submission = read_submission(asked.folder)
    findings = []
    for number, run in enumerate(submission.runs):
        where = f"runs.{number} {run.method}"
        if foreign := refuse_foreign(run.spec):
            findings.append(found("T1", "ours", False, foreign, where))
            continue
        findings += _judge_run(asked, run, Draws(len(submission.runs)), where, told)
    return findings


def _judge_run(
    asked: Asked, run: SubmittedRun, draws: Draws, where: str, told: Callable[[str], None]
) -> Iterator[Finding]:
    rebuilt = rebuild(run.spec, asked.store, asked.workers, told)
    points = points_of(asked.folder, run)
    open_world: tuple[int, Judge] | None = None
    for cell, ours in zip(run.cells, rebuilt, strict=True):
        place = f"{where}, {place_of(cell)}"
        told(place)
        if open_world is None or open_world[0] != cell.world:
            open_world = cell.world, Judge(ours)
        judge_of_world = open_world[1]
        samples = samples_of(asked.folder, cell)
        if samples is None:
            continue
        problem = problem_of_tokens(judge_of_world.world, samples)
        if problem:
            yield found("T1", "tokens", False, problem, place)
            continue
        again, pool = judge_of_world.recompute(ours, samples)
        is_rule = run.spec.gold.kind == "rule"
        yield from compare(cell, samples, again, is_rule, place)
        each = run.spec.task.evaluation.samples_per_prompt
        yield from judge_columns(samples, again, pool, points, each, place)
        if again.reweights:
            draws.add(samples, again, pool, points, place)
    yield from draws.judge(where)


def compare(
    cell: Cell,
    samples: Samples,
    ours: Recomputed,
    gold_is_rule: bool,
    where: str,
) -> Iterator[Finding]:
    """Hold a page against what we find for its tokens."""
    gap = gap_of(samples, samples.reference_logp, ours.reference_logp)
    yield _by_gap("reference_logp", gap, SHIFT_NATS, SPREAD_NATS, "nats", where)
    gap = gap_of(samples, samples.proxy, ours.proxy)
    yield _by_gap("proxy", gap, SHIFT_SD, SPREAD_SD, "SDs", where)
    if gold_is_rule:
        worst = float(np.abs(samples.gold - ours.gold).max())
        words = f"gold of each response within {worst:.2g} of ours"
        good = worst <= GOLD_TOLERANCE
        yield found("T1", "gold", good, words, where, worst, GOLD_TOLERANCE)
    else:
        gap = gap_of(samples, samples.gold / ours.gold_sd, ours.gold / ours.gold_sd)
        yield _by_gap("gold", gap, SHIFT_SD, SPREAD_SD, "SDs", where)
    scales = (
        (cell.gold_mean - ours.gold_mean) / ours.gold_sd,
        cell.gold_sd / ours.gold_sd - 1,
    )
    worst = max(map(abs, scales))
    words = f"mean and SD of gold within {worst:.2g} of ours"
    yield found("T1", "scales", worst <= SCALES, words, where, worst, SCALES)
    zero = abs(cell.proxy_offset - ours.proxy_offset)
    limit = SHIFT_SD + ZERO_ERRORS * ours.proxy_offset_se
    words = f"the zero of the proxy within {zero:.2g} of ours"
    yield found("T1", "proxy_zero", zero <= limit, words, where, zero, limit)
    start = float(np.abs(samples.prompt_gold_KB[0] - ours.start_gold_B).max())
    words = f"gold of the initial policy within {start:.2g} of ours, prompt by prompt"
    yield found("T1", "initial_policy", start <= SPREAD_SD, words, where, start, SPREAD_SD)
    if ours.reweights:
        words = f"{ours.in_pool:.1%} of the responses stand in the initial policy's pool"
        yield found("T1", "in_pool", ours.in_pool >= IN_POOL, words, where, ours.in_pool, IN_POOL)


def gap_of(samples: Samples, given: Floats, ours: Floats) -> Gap:
    """The largest mean and RMS difference over the points of a page."""
    worst = Gap(0.0, 0.0, 0)
    for row in samples.points:
        difference = (given - ours)[samples.point == row]
        shift = float(abs(difference.mean()))
        spread = float(np.sqrt(np.mean(difference**2)))
        if spread >= worst.spread:
            worst = Gap(max(shift, worst.shift), spread, row)
        elif shift > worst.shift:
            worst = Gap(shift, worst.spread, worst.row)
    return worst


def _by_gap(check: str, gap: Gap, shift: float, spread: float, unit: str, where: str) -> Finding:
    good = gap.shift <= shift and gap.spread <= spread
    words = f"{check} differs from ours by {gap.spread:.2g} {unit} (RMS), {gap.shift:.2g} in the "
    words += f"mean, most at row {gap.row + 1}"
    return found("T1", check, good, words, where, gap.spread, spread)
