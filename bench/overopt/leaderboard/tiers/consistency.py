"""Whether log-probabilities, KL, entropy and scores can belong to samples of one policy.

Each test rests on an identity that holds for samples of a policy pi, whatever pi is, given the
reference q (see ``models.logprobs`` for what is stored):

- ``kl``: the Rao-Blackwellized KL of a sample and its log-ratio have the same mean,
  E[rb - log pi/q] = 0, since each step's KL is the conditional mean of that step's log-ratio;
- ``entropy``: E[entropy + log pi] = 0, for the same reason;
- ``normalization``: E[q/pi] = 1, since q sums to 1. Its variance is chi-squared divergence, so that
  only points up to ``NORMALIZED_UP_TO`` nats are used;
- ``gold_draws``, ``proxy_draws``: means that were taken over all responses, or over a reweighted
  pool, agree with the draws beside them (``pool_draws`` where it is both);
- ``kl_draws``: exact KL agrees with the Rao-Blackwellized one of the samples.

The means are zero sample by sample, so that slots (a prompt's first, second, ... sample) are
independent. Points of one cell may share random numbers, cells do not. So three levels are tested:
each point by its slots; each cell by the mean over its points of each slot; all cells together by
the sum of the cells' z over the root of their number. Bonferroni joins points, cells, the levels
and the tests, so that a submission whose log-probabilities are true fails any of them in at most
``FALSE_ALARMS`` of cases, as far as sums of a thousand samples are normal; ``submissions.md`` has
the rate that was measured.

What it cannot see: log-probabilities of another policy altogether, with samples of that one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy.stats import norm

from overopt.leaderboard.submission.pages import Samples
from overopt.leaderboard.submission.parts import Cell
from overopt.leaderboard.submission.verdict import Finding, found
from overopt.leaderboard.tiers.pool_draws import exact_draws

Floats = npt.NDArray[np.float64]

FALSE_ALARMS = 0.003
NORMALIZED_UP_TO = 0.5
"""Nats. Beyond, single samples carry the mean of q/pi: up to 1 nat this test alone raised a false
alarm in 6 of 250 made-up entries, up to 0.5 nats in none of 240."""

TESTS = {
    "kl": "the Rao-Blackwellized KL and the log-ratios",
    "entropy": "the entropy and the log-probabilities",
    "normalization": "the mean of q/pi and 1",
    "gold_draws": "gold of the draws and of all responses",
    "proxy_draws": "proxy of the draws and of all responses",
    "kl_draws": "exact and estimated KL",
}


def differences(
    cell: Cell, samples: Samples, k: int, estimator: str
) -> Iterator[tuple[str, Floats]]:
    """For each test that a point allows, what has mean zero for every slot, (B * N,)."""
    prompts = samples.prompt_gold_KB.shape[1]
    rows = np.flatnonzero(samples.point == samples.measured_K[k])
    each = len(rows) // prompts
    if len(samples.policy_logp):
        ratio = samples.policy_logp[rows] - samples.reference_logp[rows]
        rb = samples.kl_rb[rows]
        yield "kl", rb - ratio
        yield "entropy", samples.entropy[rows] + samples.policy_logp[rows]
        if rb.mean() <= NORMALIZED_UP_TO and ratio.min() > -20:
            yield "normalization", np.expm1(-ratio)
        if estimator == "exact":
            gold = (samples.gold[rows] - cell.gold_mean) / cell.gold_sd
            yield "gold_draws", gold - np.repeat(samples.prompt_gold_KB[k], each)
            yield "kl_draws", rb - np.repeat(samples.prompt_kl_KB[k], each)
    elif estimator == "pool":
        gold = (samples.gold[rows] - cell.gold_mean) / cell.gold_sd
        yield "gold_draws", gold - np.repeat(samples.prompt_gold_KB[k], each)
        proxy = samples.proxy[rows] - cell.proxy_offset
        yield "proxy_draws", proxy - np.repeat(samples.prompt_proxy_KB[k], each)


@dataclass
class _Level:
    z: list[float] = field(default_factory=list)
    where: list[str] = field(default_factory=list)


class Consistency:
    """Collects what a run's cells say, and judges all of it together.

    Args:
        pool_samples: responses to each prompt in the initial policy's pool.
        runs: of the submission, which share ``FALSE_ALARMS``.
    """

    def __init__(self, pool_samples: int = 1, runs: int = 1) -> None:
        self._pool_samples, self._level = pool_samples, FALSE_ALARMS / runs
        self._points = {test: _Level() for test in TESTS}
        self._cells = {test: _Level() for test in TESTS}

    def add(self, cell: Cell, samples: Samples, estimators: list[str], where: str) -> None:
        """Take in one cell; ``estimators`` of its measured points, the initial one first."""
        slots: dict[str, list[Floats]] = {}
        for k in range(1, len(samples.measured_K)):
            row = int(samples.measured_K[k])
            if estimators[k] == "exact" and not len(samples.policy_logp):
                for test, z in exact_draws(cell, samples, k, self._pool_samples):
                    self._add(self._points[test], z, f"{where}, row {row + 1}")
            for test, difference in differences(cell, samples, k, estimators[k]):
                sd = float(difference.std(ddof=1))
                if not sd > 1e-9:
                    if abs(difference.mean()) > 1e-6:
                        self._add(self._points[test], np.inf, where)
                    continue
                z = float(difference.mean()) / sd * np.sqrt(len(difference))
                self._add(self._points[test], z, f"{where}, row {row + 1}")
                slots.setdefault(test, []).append(difference / sd)
        for test, parts in slots.items():
            mean = np.mean(parts, axis=0)
            z = float(mean.mean() / max(mean.std(ddof=1), 1e-9) * np.sqrt(len(mean)))
            self._add(self._cells[test], z, where)

    @staticmethod
    def _add(level: _Level, z: float, where: str) -> None:
        level.z.append(float(np.clip(z, -1e6, 1e6)))
        level.where.append(where)

    def judge(self) -> Iterator[Finding]:
        """One finding for each test that the submission allows."""
        allowed = [test for test in TESTS if self._points[test].z]
        for test in allowed:
            limit = self._level / len(allowed)
            p, words = self._p(test)
            agree = p >= limit
            told = f"{TESTS[test]} {'agree' if agree else 'differ'}: {words}"
            yield found("T0", f"consistent_{test}", agree, told, "", p, limit)

    def _p(self, test: str) -> tuple[float, str]:
        """The p value of a test over its three levels, and what says most."""
        points, cells = self._points[test], self._cells[test]
        levels = [_smallest(points)]
        if cells.z:
            together = float(np.sum(cells.z) / np.sqrt(len(cells.z)))
            levels += [_smallest(cells), (_two_sided(together), f"all cells, z = {together:.2f}")]
        p, words = min(levels)
        return min(1.0, len(levels) * p), words


def _two_sided(z: float) -> float:
    return float(2 * norm.sf(abs(z)))


def _smallest(level: _Level) -> tuple[float, str]:
    worst = int(np.argmax(np.abs(level.z)))
    p = min(1.0, len(level.z) * _two_sided(level.z[worst]))
    return p, f"{level.where[worst]}, z = {level.z[worst]:.2f} of {len(level.z)}"
