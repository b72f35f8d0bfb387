"""Bring your own scores: curves and fits from a table of scored samples, no model needed.

The samples of a prompt stand for draws of one policy. Selecting the best n of them by a proxy is
the cheapest optimization there is, and gold tells what it was worth.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from overopt.stats.arrays import Floats, Ints
from overopt.stats.fits.forms import NO_PEAK, Form
from overopt.stats.fits.jackknife import PromptFit, fit_prompts
from overopt.stats.intervals import Interval, t_interval
from overopt.stats.pools.best_of_n import BestOfNCurve, curve, kl_bound
from overopt.stats.pools.n_grids import curve_grid, fit_grid
from overopt.stats.proxy_quality import (
    Correlation,
    RankingAccuracy,
    correlate_proxy,
    ranking_accuracy,
)
from overopt.stats.scored_table import (
    RowCounts,
    ScoredTable,
    UsedRows,
    moments,
    order_rows,
    use_rows,
)

FITTED_FORMS = (Form.BON, Form.RL)
KL_ESTIMATOR = "pool"
"""Of every KL here but the bound: best-of-n from the pool, ties known."""


class CurvePoint(NamedTuple):
    """Best-of-n at one n.

    Attributes:
        n: samples chosen from.
        kl_nats: mean over prompts of the KL that knows ties (`best_of_n.curve`), nats: what every
            axis and every fit uses.
        kl_bound_nats: bound log n - (n - 1)/n, nats; above the KL where proxies tie.
        gold: mean gold over prompts with its t interval over prompts, unit of the table.
        proxy: mean proxy likewise.
        gold_gain: mean over prompts of gold above the prompt's own mean, in standard deviations
            of gold at n = 1, with its t interval over prompts: what is fitted. Without values
            where gold does not vary.
        proxy_gain: the same of the proxy, in its own standard deviations.
        ess: effective sample size of a prompt's pool, harmonic mean over prompts; see
            `listed.POOL_CAVEAT`.
        n_prompts: prompts whose pool holds n.
        n_prompts_dropped: prompts whose pool is smaller.
    """

    n: int
    kl_nats: float
    kl_bound_nats: float
    gold: Interval
    proxy: Interval
    gold_gain: Interval
    proxy_gain: Interval
    ess: float
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

    def n_at(self, kl_nats: float) -> float:
        """n at which the curve has a KL, nats: interpolated in log n, the ends beyond them."""
        # Where small pools drop out, the mean KL of those that stay can fall.
        kl_K = np.maximum.accumulate([point.kl_nats for point in self.points])
        return float(np.exp(np.interp(kl_nats, kl_K, np.log([point.n for point in self.points]))))


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
    rows = order_rows(table)
    gold_R = np.asarray(table.gold_R, np.float64)[rows.order_R]
    used = {
        name: use_rows(name, rows.prompt_R, gold_R, np.asarray(proxy, np.float64)[rows.order_R])
        for name, proxy in table.proxies.items()
    }
    return tuple(_report(one, name, forms, level) for name, one in used.items())


def _report(used: UsedRows, name: str, forms: Sequence[Form], level: float) -> ProxyReport:
    median_pool = used.counts.median_pool
    best = curve(used.prompt_R, used.gold_R, used.proxy_R, curve_grid(median_pool))
    of_gold, of_proxy = moments(used.groups, used.gold_R), moments(used.groups, used.proxy_R)
    fitted_n = fit_grid(median_pool)
    gold_unit = of_gold.sd if used.selects else None
    return ProxyReport(
        proxy=name,
        points=_points(best, of_gold.sd, of_proxy.sd, level),
        forms=tuple(_fit_form(best, fitted_n, gold_unit, form, level) for form in forms),
        gold_mean=of_gold.mean,
        gold_sd=of_gold.sd,
        proxy_mean=of_proxy.mean,
        proxy_sd=of_proxy.sd,
        fitted_n=tuple(int(n) for n in fitted_n),
        last_doubling=_last_doubling(best, level) if used.selects else None,
        counts=used.counts,
        ranking=ranking_accuracy(used.prompt_R, used.gold_R, used.proxy_R),
        correlation=correlate_proxy(used.prompt_R, used.gold_R, used.proxy_R),
    )


def _points(
    best: BestOfNCurve, gold_sd: float, proxy_sd: float, level: float
) -> tuple[CurvePoint, ...]:
    points = []
    for k, n in enumerate(best.n_K):
        kept = best.kept_BK[:, k]
        points.append(
            CurvePoint(
                n=int(n),
                kl_nats=float(best.kl_BK[kept, k].mean()),
                kl_bound_nats=float(kl_bound(n)),
                gold=t_interval(best.gold_BK[kept, k], level),
                proxy=t_interval(best.proxy_BK[kept, k], level),
                gold_gain=_gain(best.gold_BK[kept], k, gold_sd, level),
                proxy_gain=_gain(best.proxy_BK[kept], k, proxy_sd, level),
                ess=float(1.0 / best.square_BK[kept, k].mean()),
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
    kl_BK, kept_BK = best.kl_BK[:, used_K], best.kept_BK[:, used_K]
    try:
        fitted = fit_prompts(kl_BK, rise_BK, kept_BK, form, level)
    except ValueError as error:
        return FormReport(form, None, str(error))
    at_two = float(np.sqrt(kl_BK[kept_BK[:, 1], 1].mean()))
    if fitted.fit.peak is not None and fitted.fit.peak.d < at_two:
        peakless = replace(fitted.fit, peak=None, peak_reason=NO_PEAK)
        fitted = replace(fitted, fit=peakless, peak_d=None, peak_height=None)
    return FormReport(form, fitted, None)
