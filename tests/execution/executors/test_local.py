"""Worker processes: a dead one costs one retry, a dead driver costs nothing that was finished."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from overopt.errors import UserError
from overopt.execution.executors.local import InlineExecutor, ProcessExecutor
from overopt.execution.node import Node
from overopt.execution.outcomes import Notice, Outcome
from overopt.execution.scheduler import execute
from overopt.execution.store import Store

from .. import toys
from ..toys import contents, ladder, once, total, toy

Log = Callable[[], list[str]]


def build(
    store: Store, *wanted: Node, workers: int = 2, told: list[Notice] | None = None
) -> list[Outcome]:
    """Build nodes in worker processes."""
    with ProcessExecutor(store, workers) as executor:
        [result] = execute(
            [once(wanted)], store, executor, told.append if told is not None else None
        )
    assert result.value is not None, result.error
    return result.value


def test_equal_bytes_with_one_worker_two_and_none(tmp_path: Path, toy_log: Log) -> None:
    top = ladder(3, 3)
    stores = [Store(tmp_path / name) for name in ("one", "two", "inline")]
    build(stores[0], *top, workers=1)
    build(stores[1], *top, workers=2)
    execute([once(top)], stores[2], InlineExecutor(stores[2]))
    one, two, inline = (contents(store, top) for store in stores)
    assert one == two == inline
    assert len(one) == 9 * 4


_SCRIPT = """
import os
from concurrent.futures import ProcessPoolExecutor

from overopt.execution.worker import spawning

with ProcessPoolExecutor(1, mp_context=spawning()) as pool:
    assert pool.submit(os.getpid).result() != os.getpid()
print("once")
"""


@pytest.mark.parametrize("source", ["a file", "standard input"])
def test_workers_do_not_import_the_script_that_starts_them(tmp_path: Path, source: str) -> None:
    script = tmp_path / "script.py"
    script.write_text(_SCRIPT, encoding="utf-8")
    with script.open(encoding="utf-8") as given:
        told = subprocess.run(
            [sys.executable, str(script) if source == "a file" else "-"],
            stdin=given,
            capture_output=True,
            text=True,
            check=True,
        )
    assert (told.stdout, told.stderr) == ("once\n", "")


def test_a_killed_worker_costs_one_retry_of_its_own_stage(store: Store, toy_log: Log) -> None:
    others = ladder(2, 2)
    told: list[Notice] = []
    outcomes = build(store, toy("die", times=1), *others, told=told)
    assert all(outcome.path for outcome in outcomes)
    assert toy_log().count("die") == 2
    retried = [n for n in told if n.kind == "retried"]
    assert [n.node.name for n in retried] == ["die"]
    assert "killed by SIGKILL" in retried[0].text
    begun = [line for line in toy_log() if line.startswith("begin")]
    assert len(begun) == len(set(begun)) == 4


def test_what_a_killed_stage_keeps_is_there_again_and_gone_at_the_end(
    store: Store, toy_log: Log
) -> None:
    made = toy("slow")
    [outcome] = build(store, made)
    assert outcome.path is not None
    assert (outcome.path / "number.txt").read_text() == "3\n"
    assert toy_log() == ["counted 1", "counted 2", "counted 3"]
    assert not store.kept(made.key).exists()


def test_a_stage_that_always_kills_its_worker_is_given_up(store: Store, toy_log: Log) -> None:
    bad = toy("die", times=99)
    outcomes = build(store, bad, total("other", {}, value=1), total("above", {"x": bad}))
    died, fine, above = outcomes
    assert died.failure is not None
    assert died.failure.kind == "died"
    assert "SIGKILL, perhaps because memory ran out, 3 times" in died.failure.message
    assert fine.path is not None
    assert above.failure is not None
    assert above.failure.kind == "upstream"
    assert toy_log().count("die") == 3
    assert store.failure(bad.key) is not None
    assert not list(store.root.glob("tmp/*/*"))


def test_a_stage_that_hangs_is_ended_and_given_up(store: Store, toy_log: Log) -> None:
    outcomes = build(store, toy("hang", timeout_s=4.0), total("other", {}, value=1))
    assert outcomes[0].failure is not None
    assert outcomes[0].failure.kind == "timeout"
    assert outcomes[0].failure.message == "it took longer than 4 s, 3 times"
    assert outcomes[1].path is not None
    pids = [int(line.split()[1]) for line in toy_log() if line.startswith("hang")]
    assert len(pids) == 3
    assert not any(psutil.pid_exists(pid) for pid in pids)


def test_a_clock_that_is_set_ends_no_stage(
    store: Store, toy_log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A day forward while the stage is at work, in the process that watches it."""
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + (86_400 if toy_log() else 0))
    [outcome] = build(store, toy("wait", value=1, longer_s=1.5), workers=1)
    assert outcome.path is not None
    assert toy_log() == ["waited 1"]


def test_a_stage_whose_worker_leaves_as_if_all_were_well_is_given_up(
    store: Store, toy_log: Log
) -> None:
    outcomes = build(store, toy("leave", timeout_s=None), total("other", {}, value=1))
    failure = outcomes[0].failure
    assert failure is not None
    assert failure.kind == "died"
    assert failure.message == "its worker process ended before the stage did, 3 times"
    assert outcomes[1].path is not None
    assert len([line for line in toy_log() if line.startswith("leave")]) == 3


def test_an_interrupt_that_a_stage_raises_itself_is_its_own_failure(
    store: Store, toy_log: Log
) -> None:
    outcomes = build(store, toy("interrupt"), total("other", {}, value=1))
    failure = outcomes[0].failure
    assert failure is not None
    assert (failure.kind, failure.message) == ("raised", "KeyboardInterrupt: a toy's own")
    assert outcomes[1].path is not None
    assert toy_log().count("interrupt") == 1


def test_a_file_of_the_working_folder_is_no_library_of_a_worker(
    store: Store, toy_log: Log, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Named like a module that every process imports while it starts."""
    for name in ("pickle", "runpy", "signal"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('a stranger ran')\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [place for place in sys.path if place])
    [outcome] = build(store, toy("number", value=5), workers=1)
    assert outcome.path is not None


def test_errors_of_a_stage_are_not_retried(store: Store, toy_log: Log) -> None:
    outcomes = build(store, toy("fail"), total("other", {}, value=1))
    failure = outcomes[0].failure
    assert failure is not None
    assert (failure.kind, failure.message) == (
        "raised",
        "ZeroDivisionError: a toy divided by zero",
    )
    assert "in fail" in failure.traceback
    assert outcomes[1].path is not None
    assert toy_log().count("fail") == 1


def test_workers_are_single_threaded_and_offline(store: Store, toy_log: Log) -> None:
    [outcome] = build(store, toy("threads"), workers=1)
    assert outcome.path is not None
    assert (outcome.path / "environment.txt").read_text() == "1 1 false"


def test_an_idle_worker_may_die(store: Store, toy_log: Log) -> None:
    with ProcessExecutor(store, 1) as executor:
        execute([once([toy("number", value=1)])], store, executor)
        receipt = store.receipt(toy("number", value=1).key)
        assert receipt is not None
        worker = psutil.Process(receipt.pid)
        worker.kill()
        [result] = execute([once([toy("number", value=2)])], store, executor)
    assert result.value is not None
    assert result.value[0].path is not None


DRIVER = """
import sys
import time
from pathlib import Path
from overopt.execution.executors.local import ProcessExecutor
from overopt.execution.scheduler import execute
from overopt.execution.store import Store
from {package} import toys

if __name__ == "__main__":
    store = Store(Path(sys.argv[1]))
    wanted = toys.toy("hang") if sys.argv[2] == "hang" else None
    with ProcessExecutor(store, 2) as executor:
        execute(
            [toys.once([wanted] if wanted else toys.ladder(4, 5))],
            store,
            executor,
            lambda notice: print(notice.kind, notice.fraction, notice.text, flush=True),
        )
"""


def drive(folder: Path, root: Path, what: str) -> subprocess.Popen[str]:
    """Start a driver in a process of its own."""
    program = folder / "driver.py"
    program.write_text(DRIVER.format(package=toys.__package__))
    return subprocess.Popen(
        [sys.executable, str(program), str(root), what],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )


def wait_for(process: subprocess.Popen[str], kind: str, times: int) -> bool:
    """Read a driver's notices until the kind was seen a number of times, or the driver ended."""
    assert process.stdout is not None
    for line in process.stdout:
        times -= line.startswith(kind)
        if times <= 0:
            return True
    return False


def test_a_killed_driver_loses_nothing_and_repeats_nothing(tmp_path: Path, toy_log: Log) -> None:
    top = ladder(4, 5)
    quiet = Store(tmp_path / "quiet")
    execute([once(top)], quiet, InlineExecutor(quiet))
    (tmp_path / "toy.log").write_text("")
    root = tmp_path / "store"
    finished: list[int] = []
    for built in (1, 3, 2, 5):
        with drive(tmp_path, root, "ladder") as process:
            wait_for(process, "built", built)
            process.send_signal(signal.SIGKILL)
        finished.append(len([f for f in root.glob("??/*") if (f / "manifest.json").exists()]))
    with drive(tmp_path, root, "ladder") as process:
        _, errors = process.communicate()
        assert process.returncode == 0, errors
    store = Store(root)
    assert contents(store, top) == contents(quiet, top)
    assert finished == sorted(finished)
    assert finished[0] >= 1
    begun = [line.split()[1] for line in toy_log() if line.startswith("begin")]
    # A stage that had not been renamed into place when its worker died runs again: at most one
    # for each of the two workers of each of the four killed drivers, and each name at least once.
    assert len(set(begun)) == 20
    assert 20 <= len(begun) <= 20 + 4 * 2


def test_a_killed_driver_leaves_nothing_that_the_next_one_does_not_remove(
    tmp_path: Path, toy_log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary, root = tmp_path / "temporary", tmp_path / "store"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    with drive(tmp_path, root, "hang") as process:
        assert wait_for(process, "advanced 0.1 hanging", 1)
        workers = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGKILL)
    psutil.wait_procs(workers, timeout=30)
    assert list(temporary.iterdir()) == []
    (root / "tmp" / "probe").write_bytes(b"of a driver that was killed while it tried the disk")
    with drive(tmp_path, root, "ladder") as process:
        _, errors = process.communicate()
        assert process.returncode == 0, errors
    assert list(temporary.iterdir()) == []
    assert {path.name for path in (root / "tmp").iterdir()} == {"sweep.lock"}
    assert {path.name for path in root.iterdir() if len(path.name) > 2} == {
        *("tmp", "kept", "locks", "quarantine", "failures", "costs.jsonl", "standing.txt")
    }
    for place in ("kept", "quarantine", "failures"):
        assert list((root / place).iterdir()) == []


def test_workers_end_with_their_driver(tmp_path: Path, toy_log: Log) -> None:
    with drive(tmp_path, tmp_path / "store", "hang") as process:
        assert wait_for(process, "advanced 0.1 hanging", 1)
        workers = psutil.Process(process.pid).children(recursive=True)
        assert workers
        process.send_signal(signal.SIGKILL)
    _, alive = psutil.wait_procs(workers, timeout=30)
    assert alive == []


def test_ctrl_c_ends_the_driver_and_its_workers(tmp_path: Path, toy_log: Log) -> None:
    with drive(tmp_path, tmp_path / "store", "hang") as process:
        assert wait_for(process, "advanced 0.1 hanging", 1)
        workers = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate()
    assert "KeyboardInterrupt: Stopped: 0 of " in errors
    _, alive = psutil.wait_procs(workers, timeout=30)
    assert alive == []


def test_two_drivers_share_the_work(tmp_path: Path, toy_log: Log) -> None:
    root = tmp_path / "store"
    with drive(tmp_path, root, "ladder") as first, drive(tmp_path, root, "ladder") as second:
        for process in (first, second):
            _, errors = process.communicate()
            assert process.returncode == 0, errors
    begun = [line for line in toy_log() if line.startswith("begin")]
    assert len(begun) == len(set(begun)) == 20
    contents(Store(root), ladder(4, 5))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no full device")
def test_a_disk_that_is_full_in_a_worker(store: Store, toy_log: Log, tmp_path: Path) -> None:
    done, squeezed = total("done", {}, value=1), toy("squeeze")
    with (
        pytest.raises(UserError, match=r"is full: free some space .* finished stages are kept"),
        ProcessExecutor(store, 1) as executor,
    ):
        execute([once([done]), once([squeezed])], store, executor)
    assert store.open(done.key) is not None
    assert store.failure(squeezed.key) is None
    assert {path.name for path in (store.root / "tmp").iterdir()} == {"sweep.lock"}
    (tmp_path / "toy.log").write_text("freed\n")
    assert all(outcome.path for outcome in build(store, done, squeezed, workers=1))
    assert toy_log() == ["freed", "squeeze"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MiB in memory, where the tests may mount one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(disk)]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("mounting is not allowed here")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def test_a_store_whose_whole_disk_is_full(small_disk: Path, toy_log: Log) -> None:
    store = Store(small_disk / "store")
    small, large = toy("fill", size_bytes=100_000), toy("fill", size_bytes=4_000_000)
    with (
        pytest.raises(UserError, match="is full: free some space"),
        ProcessExecutor(store, 1) as executor,
    ):
        execute([once([small]), once([large])], store, executor)
    assert store.open(small.key) is not None
    assert store.open(large.key) is None
    subprocess.run(["mount", "-o", "remount,size=16m", str(small_disk)], check=True)
    assert all(outcome.path for outcome in build(store, small, large, workers=1))
    store.close()
