"""A hostile file gets nowhere, and what became of it is said in a sentence."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from overopt.leaderboard.sandbox.delivery import Frame
from overopt.leaderboard.sandbox.launch import Ended, Order, Unavailable, confine, require_walls
from overopt.leaderboard.sandbox.limits import Limits

from . import attacks

try:
    require_walls()
    REASON = ""
except Unavailable as error:
    REASON = str(error)
pytestmark = pytest.mark.skipif(bool(REASON), reason=REASON or "walls stand")

SMALL = Limits(wall_s=20, cpu_s=10, memory_bytes=512 << 20, scratch_bytes=4 << 20)
LOOPING = Limits(wall_s=20, cpu_s=1, memory_bytes=512 << 20, scratch_bytes=4 << 20)
TIGHT = Limits(wall_s=20, cpu_s=10, memory_bytes=128 << 20, scratch_bytes=4 << 20)
HASTY = Limits(wall_s=0.6, cpu_s=10, memory_bytes=512 << 20, scratch_bytes=4 << 20)

DENIED = "Operation not permitted"
MISSING = "No such file"
EXPECTED = {
    "opens_a_socket": DENIED,
    "opens_a_local_socket": DENIED,
    "talks_to_itself": DENIED,
    "writes_to_the_store": MISSING,
    "reads_the_store": MISSING,
    "climbs_out": MISSING,
    "follows_a_link": MISSING,
    "reads_users": MISSING,
    "lists_homes": "FileNotFoundError",
    "changes_the_package": "Permission denied" if os.geteuid() == 0 else "Read-only file system",
    "changes_the_root": "Read-only file system",
    "remounts": "mount",
    "leaves_by_a_namespace": "unshare",
    "changes_its_root": DENIED,
    "becomes_root": DENIED,
    "bombs_with_forks": DENIED,
    "starts_a_shell": DENIED,
    "becomes_another_program": DENIED,
    "bombs_with_threads": "can't start new thread",
    "eats_memory": "MemoryError",
    "eats_shared_memory": "memory",
    "loops_for_ever": "more than 1 s of processor time",
    "sleeps_for_ever": "took longer than 0.6 s",
    "fills_the_disk": "OSError",
    "makes_many_files": "No space left",
    "opens_many_files": "Too many open files",
    "traces_its_parent": "ptrace",
    "kills_its_parent": DENIED,
    "kills_everybody": DENIED,
    "reads_other_processes": "no other process",
    "reads_memory_of_its_parent": MISSING,
    "raises_its_limits": "limit",
    "reads_open_files": "no other open file",
    "reads_secrets": "no secret",
    "asks_for_other_calls": DENIED,
    "shares_memory_of_the_system": DENIED,
    "runs_a_program_of_its_own": "",
    "makes_a_device": DENIED,
    "leaves_without_a_word": "before it was done",
    "raises_a_strange_error": "failed: SystemExit: 0",
    "fails_in_many_lines": "failed: ValueError: first second",
}
ONLY_X86 = {"uses_calls_of_another_mode": "was killed by signal 31"}
if platform.machine() == "x86_64":
    EXPECTED |= ONLY_X86
else:
    for numbered in ("asks_for_other_calls", "shares_memory_of_the_system"):
        del EXPECTED[numbered]
LIMITS = {
    "eats_memory": TIGHT,
    "eats_shared_memory": TIGHT,
    "loops_for_ever": LOOPING,
    "sleeps_for_ever": HASTY,
}
WITHOUT_ROOT = ("opens_a_socket", "reads_the_store", "changes_the_package", "remounts",
                "bombs_with_forks", "reads_other_processes", "becomes_root")  # fmt: skip


@pytest.fixture(scope="module")
def brought(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The attacks as a module that can be imported inside, and nothing else of the tests."""
    folder = tmp_path_factory.mktemp("brought")
    (folder / "attacks.py").write_bytes(Path(__file__).with_name("attacks.py").read_bytes())
    folder.chmod(0o755)
    return folder


def aims(name: str, store: Path) -> list[str]:
    if name in ("writes_to_the_store", "reads_the_store"):
        return [str(store)]
    if name in ("kills_its_parent", "reads_memory_of_its_parent"):
        return [str(os.getpid())]
    return []


def run(
    brought: Path,
    function: str,
    limits: Limits = SMALL,
    *,
    of_users: bool | None = None,
    **given: Any,
) -> list[Frame]:
    frames: list[Frame] = []
    order = Order(f"attacks:{function}", given, limits=limits, modules=(brought,))
    if of_users is not None:
        order = replace(order, of_users=of_users)
    confine(order, frames.append)
    return frames


@pytest.mark.parametrize("name", EXPECTED)
def test_attack_fails_and_is_told(
    name: str, brought: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OVEROPT_SECRET", "a token")
    (tmp_path / "gold.json").write_text(json.dumps({"mean": 1.0}))
    with pytest.raises(Ended, match="The confined process") as caught:
        run(brought, "attack", LIMITS.get(name, SMALL), name=name, aims=aims(name, tmp_path))
    told = str(caught.value)
    assert EXPECTED[name] in told
    assert "\n" not in told and "\x1b" not in told
    assert len(told) < 2500
    assert not (tmp_path / "stolen").exists()


@pytest.mark.parametrize("name", WITHOUT_ROOT)
def test_the_walls_of_whoever_is_not_root_hold(name: str, brought: Path, tmp_path: Path) -> None:
    (tmp_path / "gold.json").write_text("{}")
    with pytest.raises(Ended, match="The confined process failed"):
        run(brought, "attack", of_users=True, name=name, aims=aims(name, tmp_path))


def test_the_same_attacks_work_outside(tmp_path: Path) -> None:
    """Else a test of an attack could pass because the attack is wrong."""
    (tmp_path / "gold.json").write_text("{}")
    attacks.ATTACKS["reads_the_store"](str(tmp_path))
    attacks.ATTACKS["writes_to_the_store"](str(tmp_path))
    for name in ("opens_a_local_socket", "talks_to_itself", "climbs_out", "reads_open_files"):
        attacks.ATTACKS[name]()
    attacks.ATTACKS["starts_a_shell"]()
    attacks.ATTACKS["reads_other_processes"]()


def test_nothing_is_left_behind(brought: Path) -> None:
    (told,) = run(brought, "leave_a_file")
    assert told.head == {"text": "written"}
    assert not Path("/scratch/left-behind-by-a-method").exists()


def test_printing_without_end_changes_nothing(brought: Path) -> None:
    assert run(brought, "flood_errors") == []


@pytest.mark.parametrize(
    ("function", "text", "sentence"),
    [
        ("flood", "", "handed over more than 8388608 bytes"),
        ("lie", "{not json\n", "a line that is not JSON"),
        ("lie", '{"kind": "gold", "bytes": 0}\n', "no frame"),
        ("lie", '{"kind": "file", "bytes": 1e9}\n', "size that is not allowed"),
        ("lie", '{"kind": "file", "bytes": -1}\n', "size that is not allowed"),
        ("lie", "[" * 5000 + "\n", "a line that is not JSON"),
        ("lie", "x" * 70_000, "a line without an end"),
        ("go_on", "", "went on after its end"),
    ],
)
def test_what_is_handed_over_is_checked(
    brought: Path, function: str, text: str, sentence: str
) -> None:
    limits = Limits(wall_s=20, cpu_s=10, memory_bytes=512 << 20, delivery_bytes=8 << 20)
    with pytest.raises(Ended, match="The confined process was ended") as caught:
        run(brought, function, limits, text=text)
    assert sentence in str(caught.value)


def test_without_walls_nothing_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.system", lambda: "Darwin")
    with pytest.raises(Unavailable, match="verify up to tier T2"):
        require_walls()


def test_a_wall_that_cannot_be_built_is_a_refusal(tmp_path: Path) -> None:
    missing = Order("json:loads", {}, {tmp_path / "missing" / "x": "/in"}, SMALL)
    with pytest.raises(Unavailable, match="mount of"):
        confine(missing, lambda frame: None)
