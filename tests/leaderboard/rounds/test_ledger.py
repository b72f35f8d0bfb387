"""A round: committed, chained, revealed, and checked from what is published."""

from __future__ import annotations

import hashlib
import hmac
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from overopt.errors import UserError
from overopt.leaderboard.rounds.derivation import commitment_of, secret_seed, worlds_of
from overopt.leaderboard.rounds.ledger import arrive, check, draw, open_round, reveal

ENTRY, OTHER = hashlib.sha256(b"an entry").hexdigest(), hashlib.sha256(b"another").hexdigest()


@pytest.fixture
def over(tmp_path: Path) -> Path:
    """A round with two entries that was revealed, and its public files alone."""
    folder = tmp_path / "round"
    open_round(folder, "first", 5, 2)
    arrive(folder, ENTRY, "mine")
    arrive(folder, OTHER, "yours", "00ff")
    reveal(folder)
    public = tmp_path / "public"
    shutil.copytree(folder, public, ignore=shutil.ignore_patterns("secret.json"))
    return public


def test_the_derivation_is_what_it_says() -> None:
    salt = bytes(range(32))
    told = hashlib.sha256(b"overopt round 1\nr\0" + salt).hexdigest()
    assert commitment_of("r", salt) == told
    drawn = hmac.new(salt, f"world\nr\0{ENTRY}\0\x001".encode(), hashlib.sha256).digest()
    second = 2**32 + int.from_bytes(drawn) % (2**53 - 2**32)
    assert worlds_of("r", salt, ENTRY, "", 2)[1] == second


def test_worlds_depend_on_all_that_was_fixed() -> None:
    salt = bytes(32)
    first = worlds_of("r", salt, ENTRY, "", 200)
    assert len(set(first)) == 200
    assert all(2**32 <= world < 2**53 for world in first)
    assert max(first) > 2**52  # they fill the range
    for other in (
        worlds_of("s", salt, ENTRY, "", 200),
        worlds_of("r", b"\1" + salt[1:], ENTRY, "", 200),
        worlds_of("r", salt, OTHER, "", 200),
        worlds_of("r", salt, ENTRY, "00", 200),
    ):
        assert set(first).isdisjoint(other)
    assert secret_seed("r", salt, ENTRY, "") != secret_seed("r", salt, OTHER, "")
    assert 0 <= secret_seed("r", salt, ENTRY, "") < 2**63


def test_an_opening_that_was_cut_off_goes_on(tmp_path: Path) -> None:
    folder = tmp_path / "round"
    whole = open_round(folder, "r", 5, 2)
    (folder / "commitment.json").unlink()  # as if killed between the two files
    with pytest.raises(UserError, match="a secret of the round r"):
        open_round(folder, "s", 5, 2)
    assert open_round(folder, "r", 5, 2) == whole
    with pytest.raises(UserError, match="holds a round already"):
        open_round(folder, "r", 5, 2)


def test_nothing_public_tells_the_worlds_before_the_end(tmp_path: Path) -> None:
    folder = tmp_path / "round"
    open_round(folder, "first", 5, 2)
    drawn, _ = draw(folder, arrive(folder, ENTRY, "mine"))
    public = [path for path in folder.rglob("*.json") if path.name != "secret.json"]
    salt = json.loads((folder / "secret.json").read_text())["salt"]
    assert len(public) == 2
    for path in public:
        text = path.read_text()
        assert salt not in text
        assert not any(str(world) in text for world in drawn.worlds)
    assert (folder / "secret.json").stat().st_mode & 0o077 == 0


def test_the_same_again_is_the_same_bytes(tmp_path: Path) -> None:
    folder = tmp_path / "round"
    open_round(folder, "first", 5, 2)
    first = arrive(folder, ENTRY, "mine")
    drawn = draw(folder, first)
    before = {path: path.read_bytes() for path in folder.rglob("*.json")}
    assert arrive(folder, ENTRY, "mine") == first
    assert draw(folder, first) == drawn
    assert {path: path.read_bytes() for path in folder.rglob("*.json")} == before
    assert reveal(folder).drawn[0] == drawn[0]
    told = (folder / "reveal.json").read_bytes()
    reveal(folder)
    assert (folder / "reveal.json").read_bytes() == told
    assert draw(folder, first) == drawn  # from the published salt


def test_a_round_is_never_opened_again(tmp_path: Path) -> None:
    open_round(tmp_path / "round", "first", 5, 2)
    with pytest.raises(UserError, match="holds a round already"):
        open_round(tmp_path / "round", "first", 5, 2)


@pytest.mark.parametrize(("worlds", "seeds"), [(4, 1), (101, 1), (5, 0), (5, 101)])
def test_a_round_has_enough_worlds(worlds: int, seeds: int, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="5 to 100 worlds"):
        open_round(tmp_path / "round", "first", worlds, seeds)
    assert not (tmp_path / "round").exists()


def test_nobody_arrives_when_it_is_over(over: Path) -> None:
    with pytest.raises(UserError, match="no entry can arrive"):
        arrive(over, hashlib.sha256(b"late").hexdigest(), "late")
    assert arrive(over, ENTRY, "mine").number == 0


def test_an_entry_is_not_drawn_again_with_another_beacon(over: Path) -> None:
    with pytest.raises(UserError, match="never drawn again"):
        arrive(over, OTHER, "yours", "1234")


def test_anybody_checks_it(over: Path) -> None:
    told = check(over)
    assert [one.entry for one in told.drawn] == [ENTRY, OTHER]
    salt = bytes.fromhex(told.salt)
    assert told.drawn[1].worlds == worlds_of("first", salt, OTHER, "00ff", 5)


def _edit(path: Path, change: Callable[[dict[str, object]], object]) -> None:
    value = json.loads(path.read_text())
    change(value)
    path.write_text(json.dumps(value))


@pytest.mark.parametrize(
    ("file", "change", "sentence"),
    [
        ("reveal.json", lambda v: v.update(salt="0" * 64), "not the one that was committed"),
        ("reveal.json", lambda v: v["drawn"][0]["worlds"].reverse(), "not those that follow"),
        ("reveal.json", lambda v: v["drawn"].pop(), "not those that follow"),
        ("reveal.json", lambda v: v.update(round="second"), "not the one that was committed"),
        ("commitment.json", lambda v: v.update(commitment="0" * 64), "not the one that was"),
        ("commitment.json", lambda v: v.update(worlds=6), "does not follow"),
        ("entries/00000.json", lambda v: v.update(entry=OTHER), "does not follow"),
        ("entries/00001.json", lambda v: v.update(beacon="ffff"), "not those that follow"),
        ("entries/00001.json", lambda v: v.update(number=7), "does not follow"),
        ("entries/00001.json", lambda v: v.update(extra=1), "extra"),
        ("entries/00001.json", lambda v: v.update(name="<b>"), "name"),
        ("reveal.json", lambda v: v.update(format=2), "format"),
    ],
)
def test_what_was_changed_is_found(
    over: Path, file: str, change: Callable[[dict[str, object]], object], sentence: str
) -> None:
    _edit(over / file, change)
    with pytest.raises(UserError, match=sentence):
        check(over)


def test_an_arrival_that_was_left_out_is_found(over: Path) -> None:
    (over / "entries" / "00000.json").unlink()
    with pytest.raises(UserError, match="does not follow"):
        check(over)


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b'{"format": 1, "format": 1}', b"\xff"])
def test_what_is_no_document_is_one_sentence(over: Path, content: bytes) -> None:
    (over / "reveal.json").write_bytes(content)
    with pytest.raises(UserError, match="reveal"):
        check(over)


def test_a_link_is_not_followed(over: Path, tmp_path: Path) -> None:
    kept = tmp_path / "elsewhere.json"
    (over / "reveal.json").rename(kept)
    (over / "reveal.json").symlink_to(kept)
    with pytest.raises(UserError, match="link"):
        check(over)
