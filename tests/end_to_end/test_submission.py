"""From a finished run to a submission, and what its check says, with the real commands."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from overopt.leaderboard.submission.verdict import Asked
from overopt.leaderboard.tiers import t1, t2, t3
from overopt.leaderboard.verification.trial import Trial

from .command import Place, environment

WHO = ("--who", "A. Name", "--contact", "name@example.org", "--summary", "A test.")


def bench(place: Place, *words: str) -> subprocess.CompletedProcess[str]:
    """``bench submit`` with these words."""
    return subprocess.run(
        [sys.executable, "-m", "overopt", "submit", *words, "--store", str(place.store)],
        cwd=place.root,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=600,
    )


@pytest.fixture(scope="module")
def submission(undisturbed: Place, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The submission of dpo with its control."""
    folder = tmp_path_factory.mktemp("submitted") / "entry"
    runs = [str(undisturbed.folder(method)) for method in ("dpo", "bon")]
    done = bench(undisturbed, "prepare", *runs, "--out", str(folder), *WHO, "--policies", "all")
    assert done.returncode == 0, done.stderr
    assert f"next: bench submit check {folder}" in done.stdout
    return folder


def verdict(place: Place, folder: Path, *words: str) -> tuple[int, dict[str, Any]]:
    """Exit code and verdict of a check."""
    done = bench(place, "check", str(folder), "--json", *words)
    assert done.returncode in (0, 1), done.stderr
    return done.returncode, json.loads(done.stdout)


def test_everything_that_can_be_recomputed_agrees(undisturbed: Place, submission: Path) -> None:
    """The task is one of the tests, which is no task of the leaderboard; all else holds."""
    code, found = verdict(undisturbed, submission, "--tier", "t0")
    failed = {one["check"] for one in found["findings"] if one["outcome"] == "fail"}
    assert (code, failed) == (1, {"task"})
    findings = t1.judge(Asked(submission, store=undisturbed.store), lambda words: None)
    assert not [one for one in findings if one.outcome == "fail"]
    checks = {one.check for one in findings}
    assert {
        "reference_logp",
        "proxy",
        "gold",
        "scales",
        "proxy_zero",
        "initial_policy",
        "in_pool",
        "initial_row",
        "win_rate",
        "auroc",
        "distinct",
        "draws",
    } <= checks
    assert len([one for one in findings if one.check == "gold"]) == 8  # cells
    page = submission.with_name("entry-check") / "qc.html"
    assert "Content-Security-Policy" in page.read_text()


def test_a_folder_that_is_no_submission_and_one_that_exists(
    undisturbed: Place, submission: Path
) -> None:
    done = bench(undisturbed, "check", str(undisturbed.out))
    assert done.returncode == 2 and "holds no submission.json" in done.stderr
    runs = str(undisturbed.folder("dpo"))
    done = bench(undisturbed, "prepare", runs, "--out", str(submission), *WHO)
    assert done.returncode == 2 and "exists" in done.stderr


@pytest.mark.slow
def test_policies_are_sampled_and_the_method_is_run_again(
    undisturbed: Place, submission: Path, tmp_path: Path
) -> None:
    """T2 and T3 of an honest entry: nothing fails, and seeds and likelihood were tested."""
    trial = Trial(
        submission,
        store=undisturbed.store,
        secret=5,
        worlds=(2**32 + 1, 2**32 + 2, 2**32 + 3),
        seeds=1,
        runs=tmp_path / "runs",
        deals=199,
    )
    for tier, checks in ((t2, {"likelihood", "source", "kl"}), (t3, {"runs", "seeds"})):
        found = tier.judge(trial, lambda words: None)
        # claims of so short a run lie below 2 nats, which is told as a failure of its own
        failed = [one for one in found if one.outcome == "fail" and one.check != "claims"]
        assert not failed
        assert checks <= {one.check for one in found}
    folders = sorted((tmp_path / "runs").glob("*/*/*/run.json"))
    specs = [json.loads(path.read_text())["spec"] for path in folders]
    seeds = sorted(tuple(spec["seeds"]) for spec in specs)
    assert seeds == [(0,), t3.fresh_seeds(5, 2)]
