"""Logs made of committed results say what the report says of them."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import overopt
from overopt.report.fits import fit_group
from overopt.report.groups import group_results
from overopt.report.scoring import score_table, yardsticks
from overopt.report.stored.reading import read_results

ROOT = Path(__file__).parents[2]
RUN = ROOT / "results" / "reviews" / "rloo" / "step-4941efbe95"


def test_five_seeds_of_rloo(tmp_path: Path) -> None:
    results = read_results([RUN])
    (group,) = group_results(results)
    fits = fit_group(group)
    scores = score_table([group], yardsticks(results), fits).iloc[0]
    logs = []
    points = results.points[results.points["status"] == "ok"]
    for seed, rows in points.groupby("seed"):
        logs.append(tmp_path / f"seed{seed}.csv")
        rows = rows.sort_values("step").drop_duplicates("step")
        rows[["step", "kl_nats", "proxy_mean", "gold_mean"]].to_csv(logs[-1], index=False)
    measured = overopt.measure(*logs, kl_estimator="rb", proxy_sd=1.0, gold_sd=1.0)
    report = measured.report
    assert len(report.runs) == group.n_seeds == 5
    for mine, theirs in zip(report.fits, fits, strict=False):
        assert mine.form is theirs.form
        assert mine.a.mean == pytest.approx(theirs.fits.a.mean, rel=1e-6)
        assert mine.b.high == pytest.approx(theirs.fits.b.high, rel=1e-6)
    gap, turn = report.gap, report.turn
    assert gap is not None and turn is not None
    assert gap.form == scores["gamma_form"] and gap.form_by == scores["gamma_form_by"]
    for mine_mean, theirs_mean in (
        (gap.fitted.mean, scores["gamma"]),
        (gap.trapezoid.mean, scores["gamma_trapezoid"]),
    ):
        assert (mine_mean is None) == pd.isna(theirs_mean)
        if mine_mean is not None:
            assert mine_mean == pytest.approx(theirs_mean, rel=1e-6)
    # A log has no prompts and no budgets, so that the places agree within their intervals.
    assert turn.falls and turn.rises
    assert scores["gold_at_peak_low"] < turn.peak.gold.mean < scores["gold_at_peak_high"]
    assert scores["fall_low"] < turn.fall.mean < scores["fall_high"]
    assert abs(turn.end.kl_nats - scores["kl_at_end_nats"]) < 2.0
