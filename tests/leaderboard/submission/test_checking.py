"""What a check leaves behind: the same findings have the same digest, and files are whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from overopt.commands.submit.files import write_whole
from overopt.leaderboard.submission.checking import digest_of
from overopt.leaderboard.submission.verdict import Finding, TierCost, Verdict


def test_a_digest_is_of_what_was_found_and_not_of_what_it_cost() -> None:
    finding = Finding("T0", "schema", "pass", "whole")
    one, again = (
        Verdict(Path("x"), {}, [finding], [TierCost("T0", wall_s, 5)]) for wall_s in (1.0, 2.0)
    )
    assert digest_of(one) == digest_of(again)
    assert digest_of(one) != digest_of(Verdict(Path("x"), {}, [], one.costs))


def test_a_file_that_cannot_be_written_leaves_the_former_one(tmp_path: Path) -> None:
    path = tmp_path / "verdict.json"
    write_whole(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_whole(path, "\ud800")
    assert path.read_text() == "old"
    write_whole(path, "new")
    assert path.read_text() == "new"
