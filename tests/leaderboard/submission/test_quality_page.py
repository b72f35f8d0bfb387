"""The page of a check, opened in Chromium: it asks for nothing, sorts, and runs nobody's words."""

from __future__ import annotations

from pathlib import Path

import pytest

from overopt.leaderboard.submission.checking import dump_verdict
from overopt.leaderboard.submission.quality_page import make_quality_page
from overopt.leaderboard.submission.verdict import Finding, TierCost, Verdict, found
from report.chromium import PROGRAM, chromium

BAD = "<img src=x onerror=document.title='run'> </script><script>document.title='run'</script>"


@pytest.fixture
def verdict() -> Verdict:
    return Verdict(
        Path("<b>entry"),
        {"submission_sha256": "0" * 64, "tiers": ["t0"]},
        [
            found("T0", "arithmetic", True, "points follow", "runs.0", 1e-12, 1e-6),
            found("T0", "rows", False, BAD, BAD),
            Finding("T0", "size", "note", "2 worlds"),
        ],
        [TierCost("T0", 1.25, 200 << 20)],
    )


def test_failures_come_first_and_words_are_words(verdict: Verdict) -> None:
    text = make_quality_page(verdict)
    assert text.index(">fail<") < text.index(">note<") < text.index(">pass<")
    assert "<img" not in text and "<b>entry" not in text and "&lt;b&gt;entry" in text
    assert text.count("<script>") == 1
    assert not verdict.passed and '"passed": false' in dump_verdict(verdict)


@pytest.mark.skipif(PROGRAM is None, reason="no Chromium here")
def test_the_page_in_a_browser(verdict: Verdict, tmp_path: Path) -> None:
    page = tmp_path / "qc.html"
    page.write_text(make_quality_page(verdict))
    with chromium(tmp_path / "profile") as tab:
        tab.open(page, 1000)
        tab.settle()
        assert tab.requests == [page.resolve().as_uri()] and tab.complaints == []
        assert tab.run("document.title") == "<b>entry: failed"
        first = "document.querySelector('tbody tr').cells[2].textContent"
        assert tab.run(first) == "rows"
        tab.run("document.querySelectorAll('th button')[2].click()")
        assert tab.run(first) == "arithmetic"
