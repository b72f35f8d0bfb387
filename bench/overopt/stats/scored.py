"""Bring your own scores: curves and fits from a table of scored samples, no model needed.

The samples of a prompt stand for draws of one policy. Selecting the best n of them by a proxy is
the cheapest optimisation there is, and gold tells what it was worth.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from overopt.stats.arrays import Floats, Ints, check_same_shape, group_rows
from overopt.stats.best_of_n import BestOfNCurve, curve, kl_bound
from overopt.stats.forms import Form, distance_from_kl
from overopt.stats.intervals import Interval, t_interval
from overopt.stats.jackknife import PromptFit, fit_prompts
from overopt.stats.proxy_quality import (
    Correlation,
    RankingAccuracy,
    correlate_proxy,
    ranking_accuracy,
)

FITTED_FORMS = (Form.BON, Form.RL)


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
        kl_pool_nats: mean KL of the selection weights, nats; has a finite-pool bias.
        n_prompts: prompts whose pool holds n.
        n_prompts_dropped: prompts whose pool is smaller.
    """

    n: int
    kl_nats: float
    gold: Interval
    proxy: Interval
    kl_pool_nats: float
    n_prompts: int
    n_prompts_dropped: int


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
        counts: rows used and dropped.
        ranking: within-prompt and pooled ranking accuracy.
        correlation: of proxy and gold.
    """

    proxy: str
    points: tuple[CurvePoint, ...]
    forms: tuple[FormReport, ...]
    gold_mean: float
    gold_sd: float
    counts: RowCounts
    ranking: RankingAccuracy
    correlation: Correlation


def analyse(
    table: ScoredTable, forms: Sequence[Form] = FITTED_FORMS, level: float = 0.95
) -> tuple[ProxyReport, ...]:
    """Curve, fits and ranking accuracy of every proxy of a table, in the table's order.

    The order of rows does not matter. Rows without gold or without the proxy are dropped for that
    proxy and counted. n runs over 1, 2, 4, ... and ends at the median pool size; prompts with a
    smaller pool are dropped at that n and counted, so the end of the curve may speak of other
    prompts than its start. The fits are less exposed to that: they use each prompt's gain over its
    own mean.

    Args:
        table: scored samples.
        forms: forms to fit.
        level: coverage of the intervals.

    Raises:
        ValueError: if columns differ in length, a (prompt, sample) pair occurs twice, a score is
            infinite, there is no proxy, or no row has both gold and a proxy.
    """
    order = check_table(table)
    prompt_R, gold_R = table.prompt_R[order], table.gold_R[order]
    return tuple(
        _report(name, prompt_R, gold_R, np.asarray(proxy, np.float64)[order], forms, level)
        for name, proxy in table.proxies.items()
    )


def check_table(table: ScoredTable) -> Ints:
    """Refuse a table that does not mean one thing; return the row order by prompt and sample.

    Raises:
        ValueError: as `analyse`.
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
    return np.asarray(order, np.int64)


def grid_up_to(largest: int) -> Ints:
    """1, 2, 4, ... and the largest n itself."""
    if largest < 1:
        raise ValueError(f"the largest n must be at least 1, got {largest}")
    powers = 2 ** np.arange(int(largest).bit_length())
    return np.unique(np.append(powers, largest)).astype(np.int64)


def _report(
    name: str,
    prompt_R: NDArray[np.generic],
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
    counts = RowCounts(
        n_rows=used.size,
        n_missing_gold=int(np.count_nonzero(~has_gold)),
        n_missing_proxy=int(np.count_nonzero(has_gold & ~used)),
        n_used=int(np.count_nonzero(used)),
        n_prompts=groups.size_B.size,
        n_prompts_lost=np.unique(prompt_R).size - groups.size_B.size,
        smallest_pool=int(groups.size_B.min()),
        median_pool=median_pool,
        largest_pool=int(groups.size_B.max()),
    )
    best = curve(prompt, gold, proxy, grid_up_to(median_pool))
    weight_R = 1.0 / (groups.size_B[groups.index_R] * groups.size_B.size)
    gold_mean = float(weight_R @ gold)
    varies = gold.min() < gold.max()  # rounding leaves a constant gold a tiny deviation
    gold_sd = float(np.sqrt(weight_R @ (gold - gold_mean) ** 2)) if varies else 0.0
    return ProxyReport(
        proxy=name,
        points=_points(best, level),
        forms=tuple(_fit_form(best, gold_sd, form, level) for form in forms),
        gold_mean=gold_mean,
        gold_sd=gold_sd,
        counts=counts,
        ranking=ranking_accuracy(prompt, gold, proxy),
        correlation=correlate_proxy(prompt, gold, proxy),
    )


def _points(best: BestOfNCurve, level: float) -> tuple[CurvePoint, ...]:
    points = []
    for k, n in enumerate(best.n_K):
        kept = best.kept_BK[:, k]
        points.append(
            CurvePoint(
                n=int(n),
                kl_nats=float(kl_bound(n)),
                gold=t_interval(best.gold_BK[kept, k], level),
                proxy=t_interval(best.proxy_BK[kept, k], level),
                kl_pool_nats=float(best.kl_pool_BK[kept, k].mean()),
                n_prompts=int(kept.sum()),
                n_prompts_dropped=int((~kept).sum()),
            )
        )
    return tuple(points)


def _fit_form(best: BestOfNCurve, gold_sd: float, form: Form, level: float) -> FormReport:
    """Fit each prompt's gain over its own mean (the first grid point is n = 1)."""
    if gold_sd == 0.0:
        return FormReport(form, None, "gold does not vary, so it has no unit to be measured in")
    rise_BK = (best.gold_BK - best.gold_BK[:, :1]) / gold_sd
    d_K = distance_from_kl(best.kl_bound_K)
    try:
        return FormReport(form, fit_prompts(d_K, rise_BK, best.kept_BK, form, level), None)
    except ValueError as error:
        return FormReport(form, None, str(error))
