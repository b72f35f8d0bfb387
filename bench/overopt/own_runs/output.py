"""Curves and fits of somebody else's runs as files."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from overopt.own_runs.earlier import CHECKPOINTS_NAME
from overopt.own_runs.measured import MeasuredRuns
from overopt.report.tables.text import quote_formula
from overopt.stats.fits.seeds import SeedFits
from overopt.stats.intervals import Interval
from overopt.stats.runs.report import Spot, Turn

CURVE_NAME = "curve.csv"
FITS_NAME = "fits.json"
CURVE_HEADER = (
    *("run", "step", "kl", "kl_unit", "kl_estimator"),
    *("proxy", "gold", "proxy_gain", "gold_gain"),
)


def curve_text(measured: MeasuredRuns) -> str:
    """curve.csv: every row of every run in full precision; what is missing is empty."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(CURVE_HEADER)
    kl_words = (measured.kl.unit, quote_formula(measured.kl.estimator or "unknown"))
    for index, run in enumerate(measured.report.runs):
        for row, step in enumerate(run.step_K.tolist()):
            rewards = (measured.proxy_rows[index][row], measured.gold_rows[index][row])
            gains = (float(run.proxy_K[row]), float(run.gold_K[row]))
            cells = ["" if math.isnan(one) else repr(one) for one in (*rewards, *gains)]
            writer.writerow(
                [
                    quote_formula(measured.names[index]),
                    step,
                    repr(float(run.kl_K[row])),
                    *kl_words,
                    *cells,
                ]
            )
    return text.getvalue()


def fits_text(measured: MeasuredRuns) -> str:
    """fits.json: verdict, turn, fits and gap; a missing number is null."""
    report = measured.report
    gap = report.gap
    record: dict[str, Any] = {
        "verdict": measured.verdict,
        "runs": list(measured.names),
        "proxy": measured.proxy,
        "gold": measured.gold,
        "kl": {
            "column": measured.kl.name,
            "estimator": measured.kl.estimator or "unknown",
            "unit": measured.kl.unit,
            "told_by": measured.kl.told_by,
        },
        "units": {"proxy_sd": report.units.proxy_sd, "gold_sd": report.units.gold_sd},
        "turn": None if report.turn is None else _turn(report.turn),
        "turn_reason": report.turn_reason,
        "fits": {one.form.value: _fit(one) for one in report.fits},
        "gamma": None
        if gap is None
        else {
            "fitted": _interval(gap.fitted),
            "trapezoid": _interval(gap.trapezoid),
            "form": gap.form.value,
            "form_by": gap.form_by,
            "reason": gap.reason,
        },
        "steps_to_score": list(measured.advised_steps),
        "monitors": [
            {"run": name, **one._asdict(), "missing": list(one.missing)}
            for name, verdicts in zip(measured.names, measured.monitors, strict=False)
            for one in verdicts
        ],
        "notes": list(measured.notes),
    }
    return json.dumps(record, indent=1, allow_nan=False, ensure_ascii=False) + "\n"


def checkpoints_text(measured: MeasuredRuns) -> str:
    """checkpoints.csv: all that was measured on each checkpoint; what does not exist is empty."""
    names = sorted({name for one in measured.measures for name in one}, key=_step_first)
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(map(quote_formula, names))
    for one in measured.measures:
        cells = [one.get(name) for name in names]
        writer.writerow([repr(cell) if isinstance(cell, float) else cell for cell in cells])
    return text.getvalue()


def _step_first(name: str) -> tuple[bool, str]:
    return name not in ("run", "step"), name


def write_text(
    folder: Path, measured: MeasuredRuns, run_files: Mapping[str, str | bytes]
) -> list[Path]:
    """Write the tables, the fits and the files of a run folder."""
    texts: dict[str, str | bytes] = {**run_files}
    texts |= {CURVE_NAME: curve_text(measured), FITS_NAME: fits_text(measured)}
    if measured.measures:
        texts[CHECKPOINTS_NAME] = checkpoints_text(measured)
    for name, text in texts.items():
        (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return [folder / name for name in texts]


def _turn(turn: Turn) -> dict[str, Any]:
    return {
        "peak": _spot(turn.peak),
        "end": _spot(turn.end),
        "fall": _interval(turn.fall),
        "interval_over": turn.over,
        "choices": turn.n_choices,
        "choices_agreeing": turn.n_agreeing,
    }


def _spot(spot: Spot) -> dict[str, Any]:
    return {"steps": list(spot.steps), "kl": spot.kl_nats, "gold": _interval(spot.gold)}


def _fit(one: SeedFits) -> dict[str, Any]:
    return {
        "a": _interval(one.a),
        "b": _interval(one.b),
        "peak_d": _interval(one.peak_d),
        "peak_height": _interval(one.peak_height),
        "runs_with_peak": one.n_peaks,
        "peak_reason": one.peak_reason,
        "rmse": [each.rmse for each in one.fits_S],
        "fitted_runs": list(one.fitted_S),
        "left_out": [{"run": each.seed, "reason": each.reason} for each in one.left_out],
        "exploratory": one.exploratory,
    }


def _interval(interval: Interval) -> dict[str, Any]:
    return {
        "estimate": interval.mean,
        "low": interval.low,
        "high": interval.high,
        "n": interval.n,
        "level": interval.level,
    }
