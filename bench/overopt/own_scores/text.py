"""What ``bench scores`` says about a proxy: its curve as a table, its fits and rows in words."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.table import Table

from overopt.errors import printable
from overopt.own_scores.words import bounds, count, show, with_bounds
from overopt.report.stored.schema import ESTIMATORS
from overopt.stats.fits.forms import Form
from overopt.stats.fits.jackknife import PromptFit
from overopt.stats.scored import KL_ESTIMATOR, CurvePoint, FormReport, ProxyReport

FORM_WORDS = {Form.BON: "best-of-n form d (a - b d)", Form.RL: "RL form d (a - b log d)"}


def curve_table(report: ProxyReport, gold: str) -> Table:
    """The curve at every doubling of n, at its end and where gold is highest.

    Args:
        report: one proxy.
        gold: name of the gold column.
    """
    level = 100 * report.points[0].gold.level
    top = highest(report)
    table = Table(
        title=f"best of n by {printable(report.proxy)}",
        caption=f"KL: {ESTIMATORS[KL_ESTIMATOR]}; bound: log n - (n - 1)/n; ess: effective samples "
        "of a prompt's pool; * gold is highest",
        title_justify="left",
        caption_justify="left",
        box=SIMPLE_HEAD,
        pad_edge=False,
    )
    for name in (
        "n",
        "KL\n(nats)",
        "bound\n(nats)",
        printable(gold),
        f"{level:g} % interval",
        "proxy",
        "prompts",
        "ess",
    ):
        table.add_column(name, justify="right", no_wrap=True)
    for point in report.points:
        doubling = point.n & (point.n - 1) == 0
        if doubling or point is report.points[-1] or point is top:
            table.add_row(
                f"{point.n}",
                f"{point.kl_nats:.3f}",
                f"{point.kl_bound_nats:.3f}",
                f"{'* ' if point is top else ''}{show(point.gold.mean)}",
                bounds(point.gold),
                show(point.proxy.mean),
                f"{point.n_prompts}",
                f"{point.ess:.1f}",
            )
    return table


def describe_fit(report: ProxyReport) -> list[str]:
    """The fits, the measured top and the ranking accuracy, one sentence each."""
    lines = [line for one in report.forms for line in _describe_form(report, one)]
    top, last = highest(report), report.points[-1]
    where = "the end of the curve" if top is last else f"among n = 1 to {last.n}"
    change = report.last_doubling
    if change is not None:
        lines.append(f"measured: gold is highest at n = {top.n}, {where}.")
        lines.append(
            f"measured: from n = {change.n_from} to {change.n_to}, gold changes by "
            f"{with_bounds(change.gold)} in {count(change.gold.n, 'prompt')}."
        )
    within = report.ranking.within
    if within is not None:
        error = "" if within.se is None else f" (standard error {within.se:.3f})"
        pooled = report.ranking.pooled
        across = "" if pooled is None else f"; over all pairs of rows {pooled:.3f}"
        lines.append(
            f"ranking: of two samples of a prompt, the proxy orders {within.mean:.3f}{error} as "
            f"gold does{across}."
        )
    return lines


def describe_rows(report: ProxyReport) -> list[str]:
    """What was used, what was dropped and why, one sentence each."""
    counts = report.counts
    lines = [f"rows: {counts.n_used} of {counts.n_rows} used, {counts.n_prompts} prompts."]
    if counts.n_missing_gold:
        lines.append(f"dropped: {count(counts.n_missing_gold, 'row')} without gold.")
    if counts.n_missing_proxy:
        lines.append(
            f"dropped: {count(counts.n_missing_proxy, 'row')} with gold but without the proxy."
        )
    if counts.n_prompts_lost:
        lines.append(f"dropped: {count(counts.n_prompts_lost, 'prompt')} without any usable row.")
    if counts.smallest_pool < counts.largest_pool:
        last = report.points[-1]
        left_out = (
            f"; there {count(last.n_prompts_dropped, 'prompt')} with fewer samples "
            f"{'is' if last.n_prompts_dropped == 1 else 'are'} left out"
        )
        lines.append(
            f"pools: {counts.smallest_pool} to {counts.largest_pool} samples, so the curve ends "
            f"at the median, {counts.median_pool}{left_out if last.n_prompts_dropped else ''}."
        )
    if counts.n_tied:
        share = 100 * counts.n_tied / counts.n_used
        lines.append(
            f"ties: {count(counts.n_tied, 'row')} ({share:.1f} %) share their proxy with another "
            "sample of the prompt; ties are averaged over, and the KL is below its bound there."
        )
    if report.proxy_sd == 0.0:
        lines.append("the proxy does not vary, so it selects at random.")
    if report.points[0].gold.exploratory:
        lines.append(f"exploratory: {count(counts.n_prompts, 'prompt')} only.")
    return lines


def highest(report: ProxyReport) -> CurvePoint:
    """The first point of the highest mean gold."""
    return max(report.points, key=lambda point: (point.gold.mean or 0.0, -point.n))


def _describe_form(report: ProxyReport, one: FormReport) -> list[str]:
    name = FORM_WORDS.get(one.form, one.form.value)
    if one.fitted is None:
        return [f"{name}: no fit, {one.reason}."]
    fitted = one.fitted
    return [
        f"{name}, gold in SDs at n = 1, residuals of {show(fitted.fit.rmse)}:",
        f"  a = {with_bounds(fitted.a)}, b = {with_bounds(fitted.b)};",
        *_describe_peak(report, fitted),
    ]


def _describe_peak(report: ProxyReport, fitted: PromptFit) -> list[str]:
    fit, position, height = fitted.fit, fitted.peak_d, fitted.peak_height
    if fit.peak is None or position is None or height is None:
        return [f"  {fit.peak_reason} (d up to {fit.d_high:.2f})."]
    beyond = position.high is not None and position.high > fit.d_high
    unsure = "; the interval reaches beyond the curve" if beyond else ""
    if position.low is None:
        unsure = "; without some of the prompts there is no peak"
    return [
        f"  peak at d = {with_bounds(position)}, KL {fit.peak.kl_nats:.2f} nats, "
        f"n about {round(report.n_at(fit.peak.kl_nats))}{unsure};",
        f"  its height {with_bounds(height)}.",
    ]
