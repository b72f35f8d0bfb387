"""The columns of ``points.csv`` that need the world: held against what we find for the tokens.

``arithmetic`` has those that follow from the page alone. Here stand, of each measured point,

- win rate against our pool of the initial policy, AUROC by our gold and our proxy, and distinct
  n-grams, for whatever sampled its responses itself;
- for methods that reweight the pool, whose weights do not come along: win rate, length and entropy
  are expectations under the weights, of which the draws of the page are independent samples, so
  that their means differ by noise of a known size (``Draws``);
- every column of the initial policy's row, which is of our pool.

Standard errors of a reweighted pool's expectations, its effective sample size, and what a method
has spent follow from the method alone; only running it again (T3) shows them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import norm

from overopt.artifacts.points import (
    FRESH,
    Point,
    Pool,
    distinct_n,
    estimate,
    initial_point,
    ranking,
    win_rate,
)
from overopt.leaderboard.submission.pages import Samples
from overopt.leaderboard.submission.verdict import Finding, found
from overopt.leaderboard.tiers.ours import Recomputed

Floats = npt.NDArray[np.float64]

EXACT = 1e-6
"""Of what follows from tokens alone."""
WIN_TOLERANCE = 0.0005
"""Of a win rate and its standard error. Where another processor's initial policy draws another
token once in ten thousand responses, win rates move by less than a tenth of this."""
AUROC_TOLERANCE = 0.005
"""Of an AUROC; proxies are trained anew."""
ERRORS = 0.1
"""Of the initial policy's means, in standard errors."""
SPREAD = 0.02
"""Of the initial policy's standard errors, as a share."""
FALSE_ALARMS = 0.003
"""Of ``Draws``, over all cells of a submission."""
RARE = 8.0
"""Draws' worth of responses that may be missed: a share m of a policy stands in none of n draws
with chance (1 - m)^n, below 0.0005 from m = 8 / n on, and the draws' SD knows nothing of it."""


def judge_columns(
    samples: Samples,
    ours: Recomputed,
    pool: Pool,
    points: pd.DataFrame,
    samples_per_prompt: int,
    where: str,
) -> Iterator[Finding]:
    """Hold the columns of a cell's points against ours; draws of a reweighted pool are not here."""
    first = int(samples.measured_K[0])
    yield _judge_initial(points, first, initial_point(pool, samples_per_prompt), where)
    prompts = len(pool.gold_BN)
    gaps: dict[str, list[tuple[float, str]]] = {}
    for row in samples.points:
        chosen = np.flatnonzero(samples.point == row)
        gold_BN = ((ours.gold[chosen] - ours.gold_mean) / ours.gold_sd).reshape(prompts, -1)
        wanted: Point = {}
        ranking(wanted, ours.proxy[chosen].reshape(prompts, -1), gold_BN)
        if ours.reweights:
            wanted["n_samples"] = pool.gold_BN.size
        else:
            estimate(wanted, "win_rate", win_rate(gold_BN, pool.gold_BN), "")
        responses = samples.responses.take(chosen)
        for order in (1, 2):
            diversity = distinct_n(responses, prompts, order, pool.stop_ids)
            estimate(wanted, f"distinct_{order}", diversity, "")
        few = ours.reweights and _number(points, row, "ess") < FRESH * samples_per_prompt
        for name in _names(wanted):
            check = next(one for one in _LIMITS if name.startswith(one))
            stated = _number(points, row, name)
            if few and check == "distinct" and math.isnan(stated):
                continue  # draws of so few samples tell nothing of diversity
            gap = _gap(stated, wanted.get(name))
            told = f"row {row + 1}: {name} = {stated:.6g}, we find {_shown(wanted.get(name))}"
            gaps.setdefault(check, []).append((gap, told))
    for check, of_check in gaps.items():
        gap, told = max(of_check)
        limit = _LIMITS[check]
        words = told if gap > limit else f"{check} of all points is ours"
        value = gap if math.isfinite(gap) else None
        yield found("T1", check, gap <= limit, words, where, value, limit)


_LIMITS = {
    "win_rate": WIN_TOLERANCE,
    "auroc": AUROC_TOLERANCE,
    "distinct": EXACT,
    "n_samples": EXACT,
}


def _names(wanted: Point) -> list[str]:
    """Columns that are compared: those that are there, and those that must not be."""
    always = ("auroc", "auroc_se", "distinct_1", "distinct_1_se", "distinct_2", "distinct_2_se")
    return list(dict.fromkeys([*wanted, *always]))


def _number(points: pd.DataFrame, row: int, name: str) -> float:
    """A number of ``points.csv``, whose rows are numbered from 0; NaN where there is none."""
    return float(points[name].to_numpy(np.float64)[row])


def _shown(wanted: object) -> str:
    return f"{wanted:.6g}" if isinstance(wanted, int | float) else "none"


def _gap(stated: float, wanted: object) -> float:
    if wanted is None:
        return 0.0 if math.isnan(stated) else math.inf
    assert isinstance(wanted, int | float)
    return math.inf if math.isnan(stated) else abs(stated - wanted)


def _judge_initial(points: pd.DataFrame, row: int, ours: Point, where: str) -> Finding:
    """The row of the initial policy; each gap as a multiple of what is allowed."""
    worst, words = 0.0, "all columns of the initial policy's row are ours"
    for name, wanted in ours.items():
        if not isinstance(wanted, int | float):
            continue
        stem = name.removesuffix("_mean").removesuffix("_nats")
        error = ours.get(f"{stem}_se")
        limit = EXACT
        if name.endswith("_se"):
            limit = EXACT + SPREAD * abs(wanted)
        elif name.startswith("auroc"):
            limit = AUROC_TOLERANCE
        elif name == "gold_raw_mean":
            limit = EXACT + SPREAD * max(1.0, abs(wanted))
        elif isinstance(error, int | float):
            limit = EXACT + ERRORS * error
        stated = _number(points, row, name)
        share = _gap(stated, wanted) / limit
        if share > max(worst, 1.0):
            words = f"the initial policy's {name} = {stated:.6g}, we find {_shown(wanted)}"
        worst = max(worst, share)
    value = worst if math.isfinite(worst) else None
    return found("T1", "initial_row", worst <= 1.0, words, where, value, 1.0)


class Draws:
    """Whether expectations over a reweighted pool fit the draws beside them, over a run's cells.

    z = (mean of the draws - what is stated) / sqrt(mean of s_b^2 / (N B)), with s_b the SD of the
    N draws of prompt b of B: given the weights, draws are independent. The difference is first
    lessened by what responses that were never drawn could account for (``RARE``). Normal,
    two-sided, Bonferroni over all numbers of a run.

    Args:
        runs: of the submission, which share ``FALSE_ALARMS``.
    """

    def __init__(self, runs: int = 1) -> None:
        self._level = FALSE_ALARMS / runs
        self._seen: list[tuple[float, str]] = []

    def add(
        self, samples: Samples, ours: Recomputed, pool: Pool, points: pd.DataFrame, where: str
    ) -> None:
        """Take in the points of one cell."""
        prompts = len(pool.gold_BN)
        for row in samples.points:
            chosen = np.flatnonzero(samples.point == row)
            gold_BN = ((ours.gold[chosen] - ours.gold_mean) / ours.gold_sd).reshape(prompts, -1)
            entropy = -ours.reference_logp[chosen] - _number(points, row, "kl_pool_nats")
            length_BN = pool.responses.length_N.reshape(prompts, -1)
            for name, drawn, widest in (
                ("win_rate", _win_chances(gold_BN, pool.gold_BN).ravel(), 1.0),
                (
                    "length_mean",
                    samples.responses.length_N[chosen].astype(np.float64),
                    float(np.ptp(length_BN, axis=1).mean()),
                ),
                ("entropy_nats", entropy, float(np.ptp(pool.reference_logp_BN, axis=1).mean())),
            ):
                drawn_BN = drawn.reshape(prompts, -1)
                error = math.sqrt(float(drawn_BN.var(axis=1, ddof=1).mean()) / drawn_BN.size)
                stated = _number(points, row, name)
                gap = float(drawn_BN.mean()) - stated
                if math.isnan(gap):
                    z = math.inf
                else:
                    beyond = max(0.0, abs(gap) - RARE * widest / drawn_BN.size)
                    z = beyond / max(error, EXACT)
                told = f"{where}, row {row + 1}: {name} = {stated:.6g}, its draws say "
                self._seen.append((abs(z), f"{told}{drawn_BN.mean():.6g}, z = {z:.2f}"))

    def judge(self, where: str) -> Iterator[Finding]:
        """One finding over all cells; none where no pool is reweighted."""
        if self._seen:
            z, told = max(self._seen)
            p = min(1.0, len(self._seen) * 2 * float(norm.sf(z)))
            good = p >= self._level
            words = "win rate, length and entropy fit the draws" if good else told
            yield found("T1", "draws", good, words, where, p, self._level)


def _win_chances(gold_BN: Floats, pool_BN: Floats) -> Floats:
    """Chance of each draw to beat another response of the pool, itself not counted (B, N)."""
    chance_BN = np.empty_like(gold_BN)
    for b, (gold_N, pool_N) in enumerate(zip(gold_BN, np.sort(pool_BN, axis=1), strict=True)):
        below = np.searchsorted(pool_N, gold_N, side="left")
        not_above = np.searchsorted(pool_N, gold_N, side="right")
        chance_BN[b] = (below + not_above - 1) / (2 * (len(pool_N) - 1))
    return chance_BN
