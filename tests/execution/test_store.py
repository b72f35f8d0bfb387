"""The store: whole or absent, checked on every read, refusals in one sentence."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from filelock import FileLock

from overopt.errors import UserError
from overopt.execution.artifact import InputEntry, read_manifest
from overopt.execution.canonical import canonical_json
from overopt.execution.costs import Costs, free_bytes, read_receipts
from overopt.execution.disk_errors import disk_is_full, explain_disk_error
from overopt.execution.store import Store, default_root

from .toys import RECEIPT, flip, named, put


def test_write_and_read(store: Store) -> None:
    made = named(7)
    assert store.open(made.key) is None
    folder = put(store, made)
    assert folder == store.root / made.key[:2] / made.key
    assert store.open(made.key) == folder
    assert Store(store.root).open(made.key) == folder
    manifest = read_manifest(folder)
    assert manifest.params == {"value": 7}
    assert manifest.size_bytes == 5 + 256
    assert sorted(manifest.files) == ["a.txt", "deep/b.bin"]
    receipt = store.receipt(made.key)
    assert receipt == RECEIPT
    assert read_receipts(store.root) == [RECEIPT]
    store.close()
    assert [path.name for path in (store.root / "tmp").iterdir()] == ["sweep.lock"]


def test_digest_covers_the_bytes_and_nothing_else(store: Store) -> None:
    first, second, third = named(1), named(2), named(3)
    for made, text in ((first, "same"), (second, "same"), (third, "other")):
        put(store, made, text)
    assert store.digest(first.key) == store.digest(second.key) != store.digest(third.key)


def test_a_receipt_is_outside_of_the_checks(store: Store) -> None:
    made = named(7)
    (put(store, made) / "receipt.json").write_text("torn")
    assert store.open(made.key) is not None
    assert store.receipt(made.key) is None


@pytest.mark.parametrize("cpu_s", [float("nan"), -1.0, "long", None])
def test_a_cost_that_no_sum_can_take_is_not_known(store: Store, cpu_s: object) -> None:
    made = named(7)
    place = put(store, made) / "receipt.json"
    receipt = json.loads(place.read_text())
    place.write_text(json.dumps(receipt | {"cpu_s": 2.0}))
    known = store.receipt(made.key)
    assert known is not None and known.cpu_s == 2.0
    place.write_text(json.dumps(receipt | {"cpu_s": cpu_s}))
    assert store.receipt(made.key) is None


def test_an_artifact_that_somebody_works_on_is_not_moved(store: Store) -> None:
    made = named(7)
    flip(put(store, made) / "a.txt")
    other = Store(store.root)
    with other.lock(made.key) as held:
        assert held
        assert store.open(made.key) is None
        assert store.folder(made.key).exists()
    assert store.open(made.key) is None
    assert not store.folder(made.key).exists()


def test_lock_is_exclusive_and_returns(store: Store) -> None:
    other = Store(store.root)
    with store.lock("aa") as first, other.lock("aa") as second, other.lock("ab") as third:
        assert (first, second, third) == (True, False, True)
    with other.lock("aa") as again:
        assert again


def test_consistency_follows_recorded_digests(store: Store) -> None:
    bottom, middle, top = named(1), named(2), named(3)
    put(store, bottom)
    recorded = {"x": InputEntry(bottom.key, store.digest(bottom.key) or "")}
    put(store, middle, inputs=recorded)
    put(store, top, inputs={"x": InputEntry(middle.key, store.digest(middle.key) or "")})
    assert store.consistent(top.key)
    shutil.rmtree(store.folder(bottom.key))
    assert store.consistent(top.key)
    put(store, bottom, text="other bytes")
    assert not store.consistent(middle.key)
    assert not store.consistent(top.key)
    shutil.rmtree(store.folder(bottom.key))
    put(store, bottom)
    assert store.consistent(top.key)


def test_the_second_writer_drops_its_draft_unless_the_inputs_differ(store: Store) -> None:
    made = named(1)
    put(store, made, text="first")
    put(store, made, text="second")
    assert (store.folder(made.key) / "a.txt").read_text() == "first"
    put(store, made, text="third", inputs={"x": InputEntry("k", "d")})
    assert (store.folder(made.key) / "a.txt").read_text() == "third"
    assert len(list((store.root / "quarantine").glob("*.txt"))) == 1


@pytest.mark.parametrize("name", ["manifest.json", "receipt.json"])
def test_names_of_the_store_are_refused(store: Store, name: str) -> None:
    draft = store.draft("x")
    (draft / name).write_text("{}")
    with pytest.raises(ValueError, match=f"wrote {name}"):
        store.commit("k" * 64, draft, named(1), {}, RECEIPT)


KILLED_WRITER = """
import sys
from contextlib import AbstractContextManager
from pathlib import Path
from overopt.execution.store import Store
from {package}.toys import named, put
store = Store(Path(sys.argv[1]))
value = int(sys.argv[2])
while True:
    print(value, flush=True)
    put(store, named(value), text=f"number {{value}} " * 20000)
    value += 1
"""


def test_a_killed_writer_never_leaves_half_an_artifact(store: Store) -> None:
    program = KILLED_WRITER.format(package=__package__)
    written = 0
    for trial in range(6):
        start = 1000 * trial
        with subprocess.Popen(
            [sys.executable, "-c", program, str(store.root), str(start)],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        ) as process:
            assert process.stdout is not None
            for _ in range(2 + trial):
                last = int(process.stdout.readline())
            for _ in range(trial * 40_000):
                pass  # another moment of the write in every trial
            process.send_signal(signal.SIGKILL)
            last = max([last, *(int(line) for line in process.stdout.read().split())])
        for value in range(start, last + 1):
            reader = Store(store.root)
            folder = reader.open(named(value).key)
            assert folder is not None or value == last
            if folder is not None:
                written += 1
                assert (folder / "a.txt").read_text() == f"number {value} " * 20000
    assert written >= 6
    assert not list((store.root / "quarantine").iterdir())
    store.sweep()
    assert [path.name for path in (store.root / "tmp").iterdir()] == ["sweep.lock"]


def test_sweep_spares_the_living(store: Store) -> None:
    mine = store.draft("mine")
    living = Store(store.root).root / "tmp" / "1-aa"
    living.mkdir()
    dead = store.root / "tmp" / "2-bb"
    dead.mkdir()
    (store.root / "tmp" / "2-bb.lock").touch()
    with FileLock(store.root / "tmp" / "1-aa.lock"):
        Store(store.root).sweep()
        store.sweep()
        assert mine.exists()
        assert living.exists()
        assert not dead.exists()
    store.sweep()
    assert not living.exists()


def test_sweep_removes_a_folder_that_has_lost_its_lock(store: Store) -> None:
    store.prepare()
    orphan = store.root / "tmp" / "123-0123456789abcdef"
    (orphan / "draft").mkdir(parents=True)
    mine = store.draft("a" * 64)
    store.prepare()
    assert not orphan.exists() and mine.is_dir()


def test_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("OVEROPT_STORE", str(tmp_path / "here"))
    assert default_root() == tmp_path / "here"
    assert Store().root == tmp_path / "here"
    assert Store(tmp_path / "there").root == tmp_path / "there"
    monkeypatch.delenv("OVEROPT_STORE")
    assert default_root().parts[-2:] == ("overopt", "store")


def test_a_store_that_was_never_made_is_empty(tmp_path: Path) -> None:
    absent = Store(tmp_path / "absent")
    assert absent.open("a" * 64) is None
    assert not absent.consistent("a" * 64)
    assert read_receipts(absent.root) == []
    assert free_bytes(absent.root) > 0
    assert not absent.root.exists()


def test_a_file_is_not_a_store(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="is a file; give a folder"):
        Store(tmp_path / "file")
    with pytest.raises(UserError, match="a part of its path is a file"):
        Store(tmp_path / "file" / "below").prepare()


def test_read_only_folders(unprivileged: Callable[[], AbstractContextManager[Path]]) -> None:
    made, damaged = named(1), named(2)
    with unprivileged() as folder:
        (folder / "closed").mkdir(mode=0o500)
        with pytest.raises(UserError, match=r"cannot be used \(Permission denied"):
            Store(folder / "closed" / "store").prepare()
        store = Store(folder / "store")
        store.prepare()
        put(store, made)
        flip(put(store, damaged) / "a.txt")
        for at, folders, _ in os.walk(store.root, topdown=False):
            for name in folders:
                Path(at, name).chmod(0o500)
        store.root.chmod(0o500)
        reader = Store(store.root)
        assert reader.open(made.key) is not None
        with pytest.raises(UserError, match="cannot be used"):
            reader.open(damaged.key)
        with pytest.raises(UserError, match="cannot be used"):
            reader.prepare()
        store.root.chmod(0o700)


def test_a_full_disk_is_told_in_one_sentence(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    made = named(1)
    put(store, made)
    monkeypatch.setattr("overopt.execution.store.probe", refuse)
    with pytest.raises(UserError, match=r"is full: free some space .* finished stages are kept\.$"):
        store.prepare()
    assert store.open(made.key) is not None


def test_wrapped_errors_of_a_full_disk_are_known() -> None:
    assert disk_is_full(OSError(errno.EDQUOT, "quota"))
    assert disk_is_full(RuntimeError("I/O error: No space left on device (os error 28)"))
    assert not disk_is_full(OSError(errno.EACCES, "denied"))
    assert not disk_is_full(ValueError("full"))


def test_failures_are_kept_until_success(store: Store) -> None:
    made = named(1)
    assert store.failure(made.key) is None
    store.record_failure(made.key, {"message": "no"})
    assert store.failure(made.key) == {"message": "no"}
    assert json.loads((store.root / "failures" / f"{made.key}.json").read_text())
    put(store, made)
    assert store.failure(made.key) is None


def test_a_probe_of_the_store_does_not_follow_a_link(store: Store, tmp_path: Path) -> None:
    precious = tmp_path / "precious.txt"
    precious.write_text("mine")
    store.prepare()
    (store.root / "tmp" / "probe").symlink_to(precious)
    store.prepare()
    assert precious.read_text() == "mine"


def test_a_limit_of_the_size_of_files_is_a_full_disk() -> None:
    assert disk_is_full(OSError(errno.EFBIG, os.strerror(errno.EFBIG)))


def test_a_store_that_is_removed_in_use_is_told(store: Store) -> None:
    store.prepare()
    shutil.rmtree(store.root)
    told = explain_disk_error(store.root, FileNotFoundError(errno.ENOENT, "gone", "x"))
    assert told is not None and "was removed while it was in use; give the same command" in told
    store.prepare()
    assert explain_disk_error(store.root, FileNotFoundError(errno.ENOENT, "gone", "x")) is None


@pytest.mark.parametrize("text", ["", "[", "[" * 100_000])
def test_a_record_of_a_failure_that_cannot_be_read_is_none(text: str, store: Store) -> None:
    store.prepare()
    (store.root / "failures").mkdir(exist_ok=True)
    (store.root / "failures" / "abc.json").write_text(text)
    assert store.failure("abc") is None


def test_a_manifest_of_another_format_is_refused_and_left_alone(store: Store) -> None:
    """A newer version shares the store: what it has made is no damage."""
    made = named(7)
    folder = put(store, made)
    body = json.loads((folder / "manifest.json").read_text())
    del body["checksum"]
    body["format"] = 99
    body["checksum"] = hashlib.sha256(canonical_json(body).encode()).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(body))
    fresh = Store(store.root)
    for look in (fresh.open, fresh.manifest, fresh.consistent):
        with pytest.raises(UserError, match=r"format = 99, .* reads format 1\. Use the version"):
            look(made.key)
    assert folder.is_dir()
    with pytest.raises(UserError, match="format = 99"):
        Store(store.root).open(made.key)


@pytest.mark.parametrize(
    "spoil",
    [{"wall_s": "1"}, {"wall_s": 10**400}, {"stage": []}, {"size_bytes": -1}, {"kind": None}],
)
def test_receipts_without_sense_cost_nothing(spoil: dict[str, object], store: Store) -> None:
    made = named(7)
    put(store, made)
    path = store.root / "costs.jsonl"
    line = json.loads(path.read_text())
    path.write_text(json.dumps({**line, **spoil}) + "\n" + "[" * 100_000 + "\n[]\n")
    assert read_receipts(store.root) == []
    Costs(store.root)
