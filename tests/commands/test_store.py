"""``bench store``: what lies there, what no run can find any more, and what is never touched."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from execution.inline import build
from execution.toys import ladder
from overopt.commands.shell import housekeeping
from overopt.commands.shell import store as command
from overopt.errors import UserError
from overopt.execution import worker
from overopt.execution.store import Store

Screen = pytest.CaptureFixture[str]


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """Six artifacts: three of ``0.*``, ``1.*`` made from them, ``2.*`` from those."""
    (tmp_path / "toy.log").touch()
    monkeypatch.setenv("TOY_LOG", str(tmp_path / "toy.log"))
    made = Store(tmp_path / "store")
    build(made, *ladder(2, 3))
    worker._store(str(made.root)).close()  # stages ran in this process, which is no run
    return made


def keys(store: Store) -> set[str]:
    return {one.key for one in housekeeping.artifacts(store)}


def test_ls_counts_by_stage(store: Store, capsys: Screen) -> None:
    assert command.ls(store.root) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines() if line.strip()]
    assert ["total", "6"] in [line[:2] for line in lines]
    assert ["all", "6"] in [line[:2] for line in lines]
    assert command.path(store.root) == 0
    assert capsys.readouterr().out == f"{store.root}\n"


def test_ls_tells_what_was_spent_and_of_what_nobody_knows(store: Store, capsys: Screen) -> None:
    (lost, *_) = sorted(keys(store))
    for number, key in enumerate(sorted(keys(store))):
        place = store.folder(key) / "receipt.json"
        place.write_text(json.dumps(json.loads(place.read_text()) | {"cpu_s": 10.0 * number}))
    (store.folder(lost) / "receipt.json").unlink()
    assert command.ls(store.root) == 0
    said = capsys.readouterr().out
    (whole,) = [line.split() for line in said.splitlines() if line.split()[:2] == ["all", "6"]]
    assert whole[-2:] == ["2.5", "min"]  # 10 + 20 + 30 + 40 + 50 s
    assert "without 1 of 6 artifacts, whose time is not recorded" in said


def test_gc_keeps_what_a_run_can_find(store: Store, capsys: Screen) -> None:
    assert command.gc(store.root, yes=True) == 0
    assert capsys.readouterr().out == "Nothing to remove: a run can find everything in the store.\n"
    assert len(keys(store)) == 6


def test_gc_drops_what_changed_code_made_and_all_that_was_made_from_it(
    store: Store, capsys: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    (one, *_) = [a for a in housekeeping.artifacts(store) if a.manifest and not a.manifest.inputs]
    assert one.manifest is not None
    below = {
        a.key
        for a in housekeeping.artifacts(store)
        if a.manifest and one.key in {given.key for given in a.manifest.inputs.values()}
    }
    assert below, "something is made from it"
    own = housekeeping._own_verdict
    monkeypatch.setattr(
        housekeeping,
        "_own_verdict",
        lambda place, made: "gone" if made.key == one.key else own(place, made),
    )
    found = {a.key for a in housekeeping.outdated(store).gone}
    assert {one.key, *below} <= found
    with pytest.raises(UserError, match=r"This would remove 5 artifacts .*say --yes"):
        command.gc(store.root, yes=False)
    assert len(keys(store)) == 6
    assert command.gc(store.root, yes=True) == 0
    assert keys(store).isdisjoint(found)
    assert "removed: 5 artifacts" in capsys.readouterr().out


def test_code_that_moved_or_was_not_recorded_is_told_apart(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(housekeeping, "code_version", lambda *parts: "0" * 64)
    assert len(housekeeping.outdated(store).gone) == 6
    monkeypatch.setattr(Store, "receipt", lambda self, key: None)
    assert len(housekeeping.outdated(store).unknown) == 6


def test_gc_drops_broken_drafts(store: Store) -> None:
    dead = store.root / "tmp" / "1-dead"
    dead.mkdir()
    (dead / "half").write_bytes(b"x" * 10)
    assert command.gc(store.root, yes=True) == 0
    assert not dead.exists()
    assert len(keys(store)) == 6


def test_rm_takes_stages_keys_and_all(store: Store) -> None:
    key = min(keys(store))
    with pytest.raises(UserError, match=r"holds no proxy; name one of its stages \(total\)"):
        command.rm(store.root, ["proxy"], yes=True)
    assert command.rm(store.root, [key[:8]], yes=True) == 0
    assert len(keys(store)) == 5 and key not in keys(store)
    with pytest.raises(UserError, match=r"say --yes\. Nothing was removed"):
        command.rm(store.root, ["all"], yes=False)
    assert command.rm(store.root, ["total"], yes=True) == 0
    assert keys(store) == set()
    build(store, *ladder(2, 3))
    assert len(keys(store)) == 6, "the next run makes them again"


def test_a_store_at_work_is_left_alone(store: Store) -> None:
    running = Store(store.root)
    running.hold()
    try:
        with pytest.raises(UserError, match=r"A run \(process \d+\) is at work in the store"):
            command.gc(store.root, yes=True)
        with pytest.raises(UserError, match="is at work in the store"):
            command.rm(store.root, ["all"], yes=True)
    finally:
        running.close()
    assert len(keys(store)) == 6
    assert command.rm(store.root, ["all"], yes=True) == 0
