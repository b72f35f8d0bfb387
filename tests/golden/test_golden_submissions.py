"""Submissions of every version of the schema must still be read, number by number."""

from __future__ import annotations

from pathlib import Path

import pytest

from overopt.leaderboard.submission.checking import check_submission
from overopt.leaderboard.submission.parts import DOCUMENT
from overopt.leaderboard.submission.reading import read_submission
from overopt.leaderboard.submission.schema import MethodFile, Submission
from overopt.leaderboard.submission.verdict import Asked
from overopt.leaderboard.tiers.t0 import points_of, samples_of

SUBMISSIONS = Path(__file__).with_name("submissions")
FIRST = SUBMISSIONS / "v1-mine"


@pytest.fixture(scope="module")
def first() -> Submission:
    return read_submission(FIRST)


def test_every_golden_submission_is_read() -> None:
    folders = [path.parent for path in SUBMISSIONS.glob(f"*/{DOCUMENT}")]
    assert len([read_submission(folder) for folder in folders]) >= 1


def test_the_first_is_what_was_written(first: Submission) -> None:
    assert (first.format, first.entry, first.who) == (1, "mine", "A. Name")
    assert isinstance(first.method, MethodFile)
    assert first.method.file.path == "method/mine.py"
    assert [(run.role, run.method) for run in first.runs] == [
        ("control", "bon"),
        ("method", "mine"),
    ]
    own = first.runs[1]
    assert [(cell.world, cell.seed, cell.proxy) for cell in own.cells] == [
        (0, 0, "single"),
        (0, 1, "single"),
    ]
    points = points_of(FIRST, own)
    samples = samples_of(FIRST, own.cells[1])
    assert samples is not None
    last = points.loc[samples.points[-1]]
    rows = samples.point == samples.points[-1]
    assert samples.kl_rb[rows].mean() == pytest.approx(last["kl_rb_nats"], abs=1e-12)
    assert samples.prompt_kl_KB[-1].mean() == pytest.approx(last["kl_exact_nats"], abs=1e-12)


def test_its_numbers_still_agree_with_each_other() -> None:
    """Its task is one of the tests, which nobody ships; all else holds."""
    verdict = check_submission(Asked(FIRST), ("t0",))
    assert {one.check for one in verdict.findings if one.outcome == "fail"} == {"task"}
    assert sum(one.check == "arithmetic" for one in verdict.findings) == 4
