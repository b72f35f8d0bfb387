"""Curves and fits of somebody else's scores, written to a folder: all files or none."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from overopt.own_scores.staging import staging_folder
from overopt.report.stored.schema import ESTIMATORS
from overopt.report.tables.text import quote_formula
from overopt.stats.intervals import Interval
from overopt.stats.pools.listed import POOL_CAVEAT
from overopt.stats.scored import KL_ESTIMATOR, FormReport, LastDoubling, ProxyReport

CURVE_NAME = "curve.csv"
FITS_NAME = "fits.json"
CURVE_HEADER = (
    "proxy",
    "n",
    "kl_nats",
    "kl_bound_nats",
    "gold_mean",
    "gold_se",
    "proxy_mean",
    "proxy_se",
    "n_prompts",
    "ess",
)
INTERVAL = "leave-one-prompt-out jackknife, t with prompts - 1 degrees of freedom"


class ScoresOutput(NamedTuple):
    """Files written by `write_scores`."""

    curve: Path
    fits: Path


def write_scores(outdir: str | Path, reports: Sequence[ProxyReport]) -> ScoresOutput:
    """Write curve.csv and fits.json; the same reports give the same bytes.

    Numbers are written in full precision. A missing value is an empty cell or null. Units: gold
    and proxy of curve.csv as in the table, its KLs in nats, ess in samples of a prompt;
    coefficients of fits.json in gold standard deviations at n = 1 (`gold_sd`) and sqrt(nats).

    Args:
        outdir: folder, created if needed; existing files of these names are replaced.
        reports: what `overopt.stats.scored.analyze` returned.

    Raises:
        UserError: if the folder cannot be written.
    """
    folder = Path(outdir)
    with staging_folder(folder) as staged:
        (staged / CURVE_NAME).write_text(_curve_text(reports), encoding="utf-8", newline="")
        (staged / FITS_NAME).write_text(_fits_text(reports), encoding="utf-8", newline="")
    return ScoresOutput(folder / CURVE_NAME, folder / FITS_NAME)


def _curve_text(reports: Sequence[ProxyReport]) -> str:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(CURVE_HEADER)
    for report in reports:
        for point in report.points:
            gold, proxy = point.gold, point.proxy
            kl = (point.kl_nats, point.kl_bound_nats)
            numbers = (*kl, gold.mean, gold.se, proxy.mean, proxy.se)
            cells = ["" if number is None else repr(float(number)) for number in numbers]
            row = [quote_formula(report.proxy), point.n, *cells, point.n_prompts, repr(point.ess)]
            writer.writerow(row)
    return text.getvalue()


def _fits_text(reports: Sequence[ProxyReport]) -> str:
    record = {report.proxy: _describe(report) for report in reports}
    return json.dumps(record, indent=1, allow_nan=False, ensure_ascii=False) + "\n"


def _describe(report: ProxyReport) -> dict[str, Any]:
    ranking = report.ranking
    return {
        "gold_mean": report.gold_mean,
        "gold_sd": report.gold_sd,
        "proxy_mean": report.proxy_mean,
        "proxy_sd": report.proxy_sd,
        "rows": report.counts._asdict(),
        "prompts_dropped": {str(point.n): point.n_prompts_dropped for point in report.points},
        "ranking_accuracy": {
            "within_prompt": None if ranking.within is None else ranking.within._asdict(),
            "pooled": ranking.pooled,
            "n_prompts_without_pairs": ranking.n_prompts_without_pairs,
        },
        "correlation": report.correlation._asdict(),
        "kl_estimator": ESTIMATORS[KL_ESTIMATOR],
        "ess": POOL_CAVEAT,
        "interval": INTERVAL,
        "last_doubling": _describe_change(report.last_doubling),
        "fitted_n": list(report.fitted_n),
        "fits": {one.form.value: _describe_form(one) for one in report.forms},
    }


def _describe_change(change: LastDoubling | None) -> dict[str, Any] | None:
    if change is None:
        return None
    return {
        "n_from": change.n_from,
        "n_to": change.n_to,
        "gold": _describe_interval(change.gold),
    }


def _describe_form(one: FormReport) -> dict[str, Any]:
    if one.fitted is None:
        return {"reason": one.reason}
    fitted, fit = one.fitted, one.fitted.fit
    peak: dict[str, Any] | str = fit.peak_reason or ""
    if fitted.peak_d is not None and fitted.peak_height is not None and fit.peak is not None:
        peak = {
            "kl_nats": fit.peak.kl_nats,
            "d": _describe_interval(fitted.peak_d),
            "height": _describe_interval(fitted.peak_height),
        }
    return {
        "a": _describe_interval(fitted.a),
        "b": _describe_interval(fitted.b),
        "gamma": fit.gamma,
        "peak": peak,
        "zero_crossing_d": fit.zero_crossing,
        "d_range": [fit.d_low, fit.d_high],
        "n_points": fit.n_points,
        "n_prompts": fitted.n_prompts,
        "rmse": fit.rmse,
        "aicc": fit.aicc,
        "r2": fit.r2,
    }


def _describe_interval(interval: Interval) -> dict[str, Any]:
    return {
        "estimate": interval.mean,
        "low": interval.low,
        "high": interval.high,
        "se": interval.se,
        "level": interval.level,
        "exploratory": interval.exploratory,
    }
