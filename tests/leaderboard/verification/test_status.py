"""The standing of an entry follows from a history that only grows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from overopt.errors import UserError
from overopt.leaderboard.verification.status import (
    Challenge,
    Tier,
    Trial,
    read_status,
    record,
    standing_of,
)

DIGEST = "ab" * 32


def trial(tier: Tier, *failed: str) -> Trial:
    return Trial(kind="trial", tier=tier, failed=failed, verdict="cd" * 32, overopt="0.1.0")


CHALLENGE = Challenge(kind="challenge", by="A. Name", reason="It does not repeat.")


@pytest.mark.parametrize(
    ("history", "standing"),
    [
        ([], "claimed"),
        ([trial("T2")], "claimed"),
        ([trial("T3")], "verified"),
        ([trial("T1", "T1 gold")], "contested"),
        ([trial("T3"), trial("T3", "T3 claims")], "contested"),
        ([trial("T3"), CHALLENGE], "contested"),
        ([CHALLENGE, trial("T2")], "contested"),
        ([CHALLENGE, trial("T3")], "verified"),
        ([trial("T3"), trial("T0")], "verified"),
    ],
)
def test_standing(history: list[Trial | Challenge], standing: str) -> None:
    assert standing_of(history) == standing


def test_a_history_only_grows_and_repeats_change_nothing(tmp_path: Path) -> None:
    file = tmp_path / "status.json"
    assert record(file, "mine", DIGEST, trial("T3")).standing == "verified"
    before = file.read_bytes()
    record(file, "mine", DIGEST, trial("T3"))
    assert file.read_bytes() == before
    now = record(file, "mine", DIGEST, CHALLENGE)
    assert (now.standing, len(now.history)) == ("contested", 2)
    assert read_status(file) == now
    assert [path.name for path in tmp_path.iterdir()] == ["status.json"]


def test_another_entry_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "status.json"
    record(file, "mine", DIGEST, trial("T3"))
    before = file.read_bytes()
    with pytest.raises(UserError, match="is the status of mine; give another"):
        record(file, "other", DIGEST, trial("T3"))
    assert file.read_bytes() == before


def test_one_byte_more_sheds_no_doubt(tmp_path: Path) -> None:
    file, other, third = tmp_path / "status.json", "ef" * 32, "12" * 32
    record(file, "mine", DIGEST, trial("T3", "T3 claims"))
    assert read_status(file).standing_for(other) == "contested"
    now = record(file, "mine", other, trial("T2"))
    assert (now.standing, now.trials, now.versions) == ("contested", 2, 2)
    assert [event.submission for event in now.history] == [DIGEST, None]
    now = record(file, "mine", other, trial("T3"))
    assert (now.standing, now.trials, now.versions) == ("verified", 3, 2)
    assert now.standing_for(DIGEST) == "contested"
    assert now.standing_for(third) == "claimed"
    now = record(file, "mine", third, trial("T0"))
    assert (now.standing, now.standing_for(other), now.versions) == ("claimed", "claimed", 3)
    now = record(file, "mine", DIGEST, trial("T3"))  # the first one again
    assert (now.standing, now.versions) == ("verified", 3)
    assert read_status(file) == now


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"standing": "contested"}, "does not follow from the history"),
        ({"history": []}, "does not follow from the history"),
        ({"extra": 1}, "extra"),
        ({"format": 2}, "format"),
        ({"entry": "=cmd()"}, "entry"),
    ],
)
def test_a_status_that_does_not_hold_together(
    tmp_path: Path, change: dict[str, object], sentence: str
) -> None:
    file = tmp_path / "status.json"
    record(file, "mine", DIGEST, trial("T3"))
    file.write_text(json.dumps({**json.loads(file.read_text()), **change}))
    with pytest.raises(UserError, match=sentence):
        read_status(file)


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b'{"a": 1, "a": 2}', b"\xff\xfe"])
def test_what_is_no_status_is_one_sentence(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "status.json"
    file.write_bytes(content)
    with pytest.raises(UserError, match="status"):
        record(file, "mine", DIGEST, trial("T3"))
    assert file.read_bytes() == content


@pytest.mark.parametrize("reason", ["<b>", "=1+1", "two\nlines", ""])
def test_a_reason_is_plain_text(reason: str) -> None:
    with pytest.raises(ValueError, match="reason"):
        Challenge(kind="challenge", by="A. Name", reason=reason)
