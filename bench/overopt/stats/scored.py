"""Bring your own scores: curves and fits from a table of scored samples, no model needed.

The samples of a prompt stand for draws of one policy. Selecting the best n of them by a proxy is
the cheapest optimization there is, and gold tells what it was worth.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from overopt.stats.arrays import Floats, Ints, check_same_shape, group_rows
from overopt.stats.best_of_n import BestOfNCurve, curve, kl_bound, rank_pools
from overopt.stats.forms import NO_PEAK, Form, distance_from_kl
from overopt.stats.intervals import Interval, t_interval
from overopt.stats.jackknife import PromptFit, fit_prompts
from overopt.stats.proxy_quality import (
    Correlation,
    RankingAccuracy,
    correlate_proxy,
    ranking_accuracy,
)

FITTED_FORMS = (Form.BON, Form.RL)
EVERY_N_UP_TO = 64  # small pools get every n, so that any n of interest is on their curve
DENSE_UP_TO = 16
PER_DOUBLING = 8  # points of the curve beyond that
FITTED_PER_DOUBLING = 2


@dataclass(frozen=True)
class ScoredTable:
    """Scored samples, one row each.

    Attributes:
        prompt_R: prompt id.
        sample_R: sample id, unique within a prompt.
        gold_R: gold score; NaN marks a missing one.
        proxies: proxy scores by name, each (R,); NaN marks a missing one.
    """

    prompt_R: NDArray[np.generic]
    sample_R: NDArray[np.generic]
    gold_R: Floats
    proxies: Mapping[str, Floats]


class RowCounts(NamedTuple):
    """What became of the rows for one proxy.

    Attributes:
        n_rows: rows in the table.
        n_missing_gold: rows dropped because gold is missing.
        n_missing_proxy: further rows dropped because this proxy is missing.
        n_used: rows used.
        n_prompts: prompts with at least one used row.
        n_prompts_lost: prompts of the table without a used row.
        n_tied: used rows whose proxy equals that of another used row of the same prompt.
        smallest_pool: fewest used rows of a prompt.
        median_pool: median of used rows over prompts, rounded down; the largest n of the curve.
        largest_pool: most used rows of a prompt.
    """

    n_rows: int
    n_missing_gold: int
    n_missing_proxy: int
    n_used: int
    n_prompts: int
    n_prompts_lost: int
    n_tied: int
    smallest_pool: int
    median_pool: int
    largest_pool: int


class CurvePoint(NamedTuple):
    """Best-of-n at one n.

    Attributes:
        n: samples chosen from.
        kl_nats: bound log n - (n - 1)/n, nats.
        gold: mean gold over prompts with its t interval over prompts, unit of the table.
        proxy: mean proxy likewise.
        gold_gain: mean over prompts of gold above the prompt's own mean, in standard deviations
            of gold at n = 1, with its t interval over prompts: what is fitted. Without values
            where gold does not vary.
        proxy_gain: the same of the proxy, in its own standard deviations.
        kl_pool_nats: mean KL of the selection weights, nats; has a finite-pool bias.
        n_prompts: prompts whose pool holds n.
        n_prompts_dropped: prompts whose pool is smaller.
    """

    n: int
    kl_nats: float
    gold: Interval
    proxy: Interval
    gold_gain: Interval
    proxy_gain: Interval
    kl_pool_nats: float
    n_prompts: int
    n_prompts_dropped: int


class LastDoubling(NamedTuple):
    """Change of gold over about the last doubling of n, chosen before looking at the curve.

    Attributes:
        n_from: largest n of the curve that is at most half of `n_to`.
        n_to: last n of the curve.
        gold: mean over prompts of gold at `n_to` minus gold at `n_from`, with a t interval over the
            prompts that hold `n_to`; unit of the table.
    """

    n_from: int
    n_to: int
    gold: Interval


class FormReport(NamedTuple):
    """One form fitted to a curve, or why it could not be.

    Attributes:
        form: the form.
        fitted: the fit in units of the gold's standard deviation, or None.
        reason: why there is no fit, or None.
    """

    form: Form
    fitted: PromptFit | None
    reason: str | None


@dataclass(frozen=True)
class ProxyReport:
    """All that a table says about one proxy.

    Attributes:
        proxy: its name.
        points: best-of-n curve, increasing in n.
        forms: fits of the gold curve above n = 1, each prompt relative to itself.
        gold_mean: mean gold at n = 1, prompts weighing the same, unit of the table.
        gold_sd: standard deviation of gold at n = 1 in the same weighting: the unit of the fits.
        proxy_mean: mean proxy likewise, unit of the table.
        proxy_sd: standard deviation of the proxy likewise.
        fitted_n: the n whose points were fitted.
        last_doubling: how gold changes at the end of the curve, or None where it ends at n = 1 or
            the proxy orders no two samples of a prompt.
        counts: rows used and dropped.
        ranking: within-prompt and pooled ranking accuracy.
        correlation: of proxy and gold.
    """

    proxy: str
    points: tuple[CurvePoint, ...]
    forms: tuple[FormReport, ...]
    gold_mean: float
    gold_sd: float
    proxy_mean: float
    proxy_sd: float
    fitted_n: tuple[int, ...]
    last_doubling: LastDoubling | None
    counts: RowCounts
    ranking: RankingAccuracy
    correlation: Correlation


def analyze(
    table: ScoredTable, forms: Sequence[Form] = FITTED_FORMS, level: float = 0.95
) -> tuple[ProxyReport, ...]:
    """Curve, fits and ranking accuracy of every proxy of a table, in the table's order.

    The order of rows does not matter. Rows without gold or without the proxy are dropped for that
    proxy and counted; equal proxies are averaged over, as if broken at random. n runs over
    `curve_grid` and ends at the median pool size; prompts with a smaller pool are dropped at that
    n and counted, so the end of the curve may speak of other prompts than its start. The fits are
    less exposed to that: they use each prompt's gain over its own mean. They are fitted at
    `fit_grid` only, because neighboring n share nearly all of their samples.

    Args:
        table: scored samples.
        forms: forms to fit.
        level: coverage of the intervals.

    Raises:
        ValueError: if columns differ in length, a (prompt, sample) pair occurs twice, a score is
            infinite, there is no proxy, or no row has both gold and a proxy.
    """
    rows = _order_rows(table)
    gold_R = np.asarray(table.gold_R, np.float64)[rows.order_R]
    return tuple(
        _report(
            name, rows.prompt_R, gold_R, np.asarray(proxy, np.float64)[rows.order_R], forms, level
        )
        for name, proxy in table.proxies.items()
    )


def curve_grid(largest: int) -> Ints:
    """n of the curve: every n up to 64 at most, else every n up to 16, 8 per doubling, the end."""
    if largest < 1:
        raise ValueError(f"the largest n must be at least 1, got {largest}")
    if largest <= EVERY_N_UP_TO:
        return np.arange(1, largest + 1, dtype=np.int64)
    dense = np.arange(1, DENSE_UP_TO + 1, dtype=np.int64)
    return np.union1d(dense, _geometric(largest, PER_DOUBLING))


def fit_grid(largest: int) -> Ints:
    """n that are fitted: two per doubling (1, 2, 3, 4, 6, 8, 11, 16, 23, ...) and the end.

    Every doubling of n weighs the same, whatever the density of the curve.
    """
    if largest < 1:
        raise ValueError(f"the largest n must be at least 1, got {largest}")
    return _geometric(largest, FITTED_PER_DOUBLING)


class _Rows(NamedTuple):
    """Rows of a table ordered by prompt and sample: the order, and numbered prompts in it."""

    order_R: Ints
    prompt_R: Ints


def _order_rows(table: ScoredTable) -> _Rows:
    """Refuse a table that does not mean one thing; order its rows by prompt and sample.

    Raises:
        ValueError: as `analyze`.
    """
    if not table.proxies:
        raise ValueError("the table has no proxy")
    check_same_shape(table.prompt_R, table.sample_R, "prompt and sample ids")
    for name, values in (("gold", table.gold_R), *table.proxies.items()):
        check_same_shape(table.prompt_R, values, f"prompt ids and {name}")
        if np.any(np.isinf(values)):
            raise ValueError(f"{name} has infinite values")
    prompt_R = group_rows(table.prompt_R).index_R
    sample_R = group_rows(table.sample_R).index_R
    order = np.lexsort((sample_R, prompt_R))
    twice = (np.diff(prompt_R[order]) == 0) & (np.diff(sample_R[order]) == 0)
    if twice.any():
        row = order[int(np.argmax(twice))]
        prompt, sample = table.prompt_R[row], table.sample_R[row]
        raise ValueError(f"sample {sample} of prompt {prompt} occurs more than once")
    return _Rows(np.asarray(order, np.int64), prompt_R[order])


def _geometric(largest: int, per_doubling: int) -> Ints:
    """1, the rounded powers of 2^(1/per_doubling) below `largest`, and `largest`."""
    exponents = np.arange(per_doubling * largest.bit_length()) / per_doubling
    powers = np.rint(2.0**exponents).astype(np.int64)
    return np.unique(np.append(powers[powers < largest], largest)).astype(np.int64)


def _report(
    name: str,
    prompt_R: Ints,
    gold_R: Floats,
    proxy_R: Floats,
    forms: Sequence[Form],
    level: float,
) -> ProxyReport:
    has_gold = ~np.isnan(gold_R)
    used = has_gold & ~np.isnan(proxy_R)
    if not used.any():
        raise ValueError(f"no row has both gold and {name}")
    prompt, gold, proxy = prompt_R[used], gold_R[used], proxy_R[used]
    groups = group_rows(prompt)
    median_pool = int(np.median(groups.size_B))
    ties = _count_ties(prompt, proxy)
    counts = RowCounts(
        n_rows=used.size,
        n_missing_gold=int(np.count_nonzero(~has_gold)),
        n_missing_proxy=int(np.count_nonzero(has_gold & ~used)),
        n_used=int(np.count_nonzero(used)),
        n_prompts=groups.size_B.size,
        n_prompts_lost=np.unique(prompt_R).size - groups.size_B.size,
        n_tied=ties.n_tied,
        smallest_pool=int(groups.size_B.min()),
        median_pool=median_pool,
        largest_pool=int(groups.size_B.max()),
    )
    best = curve(prompt, gold, proxy, curve_grid(median_pool))
    weight_R = 1.0 / (groups.size_B[groups.index_R] * groups.size_B.size)
    of_gold, of_proxy = _moments(weight_R, gold), _moments(weight_R, proxy)
    fitted_n = fit_grid(median_pool)
    selects = ties.n_groups > groups.size_B.size
    gold_unit = of_gold.sd if selects else None
    return ProxyReport(
        proxy=name,
        points=_points(best, of_gold.sd, of_proxy.sd, level),
        forms=tuple(_fit_form(best, fitted_n, gold_unit, form, level) for form in forms),
        gold_mean=of_gold.mean,
        gold_sd=of_gold.sd,
        proxy_mean=of_proxy.mean,
        proxy_sd=of_proxy.sd,
        fitted_n=tuple(int(n) for n in fitted_n),
        last_doubling=_last_doubling(best, level) if selects else None,
        counts=counts,
        ranking=ranking_accuracy(prompt, gold, proxy),
        correlation=correlate_proxy(prompt, gold, proxy),
    )


class _Ties(NamedTuple):
    """Distinct (prompt, proxy) values, and rows that share theirs with another row."""

    n_groups: int
    n_tied: int


def _count_ties(prompt_R: Ints, proxy_R: Floats) -> _Ties:
    size_G = np.bincount(rank_pools(prompt_R, proxy_R).tie_R)
    return _Ties(size_G.size, int(size_G[size_G > 1].sum()))


class _Moments(NamedTuple):
    mean: float
    sd: float


def _moments(weight_R: Floats, values: Floats) -> _Moments:
    """Weighted mean and standard deviation; constant values have a deviation of exactly 0."""
    mean = float(weight_R @ values)
    varies = values.min() < values.max()  # rounding leaves constant values a tiny deviation
    sd = float(np.sqrt(weight_R @ (values - mean) ** 2)) if varies else 0.0
    return _Moments(mean, sd)


def _points(
    best: BestOfNCurve, gold_sd: float, proxy_sd: float, level: float
) -> tuple[CurvePoint, ...]:
    points = []
    for k, n in enumerate(best.n_K):
        kept = best.kept_BK[:, k]
        points.append(
            CurvePoint(
                n=int(n),
                kl_nats=float(kl_bound(n)),
                gold=t_interval(best.gold_BK[kept, k], level),
                proxy=t_interval(best.proxy_BK[kept, k], level),
                gold_gain=_gain(best.gold_BK[kept], k, gold_sd, level),
                proxy_gain=_gain(best.proxy_BK[kept], k, proxy_sd, level),
                kl_pool_nats=float(best.kl_pool_BK[kept, k].mean()),
                n_prompts=int(kept.sum()),
                n_prompts_dropped=int((~kept).sum()),
            )
        )
    return tuple(points)


def _last_doubling(best: BestOfNCurve, level: float) -> LastDoubling | None:
    n_to = int(best.n_K[-1])
    if n_to == 1:
        return None
    start = int(np.flatnonzero(best.n_K <= n_to / 2)[-1])
    kept_B = best.kept_BK[:, -1]
    change_B = best.gold_BK[kept_B, -1] - best.gold_BK[kept_B, start]
    return LastDoubling(int(best.n_K[start]), n_to, t_interval(change_B, level))


def _gain(score_BK: Floats, k: int, sd: float, level: float) -> Interval:
    """Score at the k-th n above each prompt's own mean, in `sd`; no values where `sd` is 0."""
    if sd == 0.0:
        return t_interval([], level)
    return t_interval((score_BK[:, k] - score_BK[:, 0]) / sd, level)


def _fit_form(
    best: BestOfNCurve, fitted_n: Ints, gold_sd: float | None, form: Form, level: float
) -> FormReport:
    """Fit each prompt's gain over its own mean (the first grid point is n = 1).

    A maximum of the form below n = 2 is no peak: there is no n to have it.
    """
    if gold_sd is None:
        return FormReport(form, None, "the proxy is the same for all samples of every prompt")
    if gold_sd == 0.0:
        return FormReport(form, None, "gold does not vary, so it has no unit to be measured in")
    used_K = np.isin(best.n_K, fitted_n)
    rise_BK = (best.gold_BK[:, used_K] - best.gold_BK[:, :1]) / gold_sd
    d_K = distance_from_kl(best.kl_bound_K[used_K])
    try:
        fitted = fit_prompts(d_K, rise_BK, best.kept_BK[:, used_K], form, level)
    except ValueError as error:
        return FormReport(form, None, str(error))
    if fitted.fit.peak is not None and fitted.fit.peak.d < d_K[1]:
        peakless = replace(fitted.fit, peak=None, peak_reason=NO_PEAK)
        fitted = replace(fitted, fit=peakless, peak_d=None, peak_height=None)
    return FormReport(form, fitted, None)
