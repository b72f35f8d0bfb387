"""Monitors on runs of somebody else's: logs, and training that goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from overopt.commands.measure import measure
from overopt.commands.options.measure import Measure
from overopt.errors import UserError
from overopt.monitors.contract import Look
from overopt.own_runs.logs import LOOKS_MOST, LogRequest, measure_logs
from overopt.own_runs.run_log import Columns
from overopt.own_runs.watching.verdicts import LiveMonitors, judge, open_monitors


def write_log(path: Path, rows: int = 8) -> Path:
    """A log whose KL grows by 2 nats a row, whose responses grow, and whose proxy climbs."""
    lines = ["step,kl_nats,proxy,length_mean,entropy_nats"]
    lines += [f"{10 * k},{2 * k},{k**0.5},{10 + k},{9 - k / 100}" for k in range(rows)]
    path.write_text("\n".join(lines) + "\n")
    return path


def test_measure_tells_what_rings_and_what_it_could_not_compute(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = write_log(tmp_path / "log.csv")
    assert measure(Measure(logs=[log], out=tmp_path / "out"), None, 1, False) == 0
    told = capsys.readouterr().out
    assert "kl-threshold: rings at step 60: KL is 12 nats, above 10" in told
    assert "length-drift: rings at step 60: responses have 16 tokens, 10 at the start" in told
    assert "proxy-curvature: silent" in told
    assert "mahalanobis: not computed, it needs hidden states of the reward model" in told
    assert "which nothing calibrated here" in told and "constant-stop" not in told
    assert '"monitor": "kl-threshold"' in (tmp_path / "out" / "fits.json").read_text()


def test_one_monitor_can_be_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = write_log(tmp_path / "log.csv")
    measure(Measure(logs=[log], monitor=["kl-threshold"]), None, 1, False)
    told = capsys.readouterr().out
    assert "kl-threshold: rings" in told and "length-drift" not in told
    with pytest.raises(UserError, match="Unknown monitor 'kl'"):
        measure(Measure(logs=[log], monitor=["kl"]), None, 1, False)


def test_a_long_log_is_looked_at_in_means_over_rows(tmp_path: Path) -> None:
    log = write_log(tmp_path / "log.csv", rows=1 + 2 * LOOKS_MOST)
    (looks,) = measure_logs(LogRequest([log], Columns())).looks
    assert len(looks) == 1 + LOOKS_MOST
    assert looks[0] == Look(0, 0.0, 10.0, 9.0, 0.0)
    assert looks[1].step == 20 and looks[1].kl_nats == 3.0 and looks[1].length == 11.5


def test_a_kl_per_token_is_no_kl_of_a_response(tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    log.write_text("step,kl,proxy\n0,0.0,0\n10,0.2,1\n20,0.4,2\n")
    columns = Columns(kl="kl", kl_estimator="k3/token")
    (looks,) = measure_logs(LogRequest([log], columns)).looks
    assert all(look.kl_nats is None for look in looks)
    (verdict,) = judge(open_monitors(["kl-threshold"]), looks)
    assert verdict.line.startswith("kl-threshold: not computed, it needs KL from the initial")


def test_what_compares_with_the_initial_policy_needs_a_log_that_begins_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "late.csv"
    whole = write_log(tmp_path / "log.csv").read_text().splitlines()
    log.write_text("\n".join([whole[0], *whole[3:]]) + "\n")
    names = ["length-drift", "kl-threshold", "proxy-curvature"]
    measure(Measure(logs=[log], monitor=names), None, 1, False)
    told = capsys.readouterr().out
    assert "length-drift: not computed, it needs the initial policy" in told
    assert "kl-threshold: rings at step 60" in told and "proxy-curvature: silent" in told


def test_whether_a_monitor_compares_with_the_initial_policy_is_true_or_false() -> None:
    known = {one.spec.name: one.spec.from_initial for one in open_monitors([])}
    assert known.pop("kl-threshold") is known.pop("proxy-curvature") is False
    assert known and all(known.values())


def test_a_live_monitor_rings_once() -> None:
    live = LiveMonitors(["kl-threshold", "mahalanobis"])
    looks = [Look(0, 0.0), Look(5, 4.0), Look(10, 12.0), Look(15, 14.0)]
    said = [live.look(looks[: end + 1]) for end in range(len(looks))]
    assert said[0] == ["mahalanobis: not computed, it needs hidden states of the reward model"]
    assert said[1] == [] and said[3] == []
    assert said[2] == ["kl-threshold: rings at step 10: KL is 12 nats, above 10"]
    assert LiveMonitors([]).look(looks) == []
