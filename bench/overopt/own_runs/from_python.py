"""``overopt.measure``: logs measured from Python."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from overopt.own_runs.logs import LogRequest, measure_logs
from overopt.own_runs.measured import MeasuredRuns
from overopt.own_runs.run_log import Columns


def measure(
    *logs: str | Path,
    kl: str | None = None,
    proxy: str | None = None,
    gold: str | None = None,
    step: str | None = None,
    length: str | None = None,
    kl_estimator: str | None = None,
    proxy_sd: float | None = None,
    gold_sd: float | None = None,
    out: str | Path | None = None,
) -> MeasuredRuns:
    """Read training logs and say whether the run overoptimizes.

    Args:
        logs: .csv, .jsonl or trainer_state.json files (or folders that hold one); several are
            seeds of the same training.
        kl, proxy, gold, step, length: columns, where their names are not a trainer's.
        kl_estimator: k1, k2, k3, rb or exact, with /token or /response behind it.
        proxy_sd, gold_sd: standard deviations under the initial policy, which make the gap gamma
            computable; by default those that the first log has.
        out: a folder for curve.csv, fits.json and the figure.

    Raises:
        UserError: one sentence on the first thing that is wrong.
    """
    columns = Columns(step, kl, proxy, gold, length, kl_estimator)
    measured = measure_logs(LogRequest([Path(log) for log in logs], columns, proxy_sd, gold_sd))
    if out is None:
        return measured
    from overopt.own_runs.folder import write_folder

    return replace(measured, written=write_folder(Path(out), measured))
