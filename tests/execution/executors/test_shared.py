"""Workers on a shared folder: killed, stopped, late, of another clock or version, and in company.

``FUZZ_TIMES`` above 1 kills twenty workers, and not two.
"""

from __future__ import annotations

import json
import os
import random
import signal
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Event

import psutil
import pytest
from filelock import SoftFileLease

from overopt.execution.executors.board import Desk, Unreadable, desks
from overopt.execution.executors.serving import Server
from overopt.execution.executors.shared import SharedExecutor
from overopt.execution.messages import Built, InputMissing, Lost, Message, Raised, Refused
from overopt.execution.outcomes import Notice
from overopt.execution.store import Store
from overopt.execution.worker import order

from .. import inline
from ..toys import STAGES, contents, ladder, total, toy
from .workers import LEASE_S, drive, running, shared, start

Log = Callable[[], list[str]]
KILLS = 20 if int(os.environ.get("FUZZ_TIMES", "1")) > 1 else 2
PACKAGES = (STAGES.rpartition(".")[0],)


def until(executor: SharedExecutor, done: Callable[[], bool]) -> None:
    """Read messages, which takes time, until something has come true."""
    for _ in range(600):
        if done():
            return
        executor.next_message(0.1)
    raise AssertionError("it has not come true")


def test_equal_bytes_and_every_stage_once(tmp_path: Path, toy_log: Log) -> None:
    top, quiet = ladder(3, 4), Store(tmp_path / "quiet")
    inline.build(quiet, *top)
    (tmp_path / "toy.log").write_text("")
    store = shared(tmp_path / "store")
    told: list[Notice] = []
    with running(store.root, 2):
        drive(store, [*top, toy("number", value=1)], told)
    assert contents(store, top) == contents(quiet, top)
    assert set(Counter(inline.begun(toy_log)).values()) == {1}
    assert Counter(one.kind for one in told)["built"] == 13
    assert list((store.root / "work").iterdir()) == []


def test_workers_killed_at_random(tmp_path: Path, toy_log: Log) -> None:
    """Four work at the same time, and for each that is killed another comes."""
    top, quiet = ladder(*((4, 5) if KILLS == 2 else (40, 26))), Store(tmp_path / "quiet")
    inline.build(quiet, *top)
    (tmp_path / "toy.log").write_text("")
    store, rng = shared(tmp_path / "store"), random.Random(0)
    with running(store.root, 4) as processes, ThreadPoolExecutor(1) as threads:
        driven = threads.submit(drive, store, top)
        at_work = 0
        for _ in range(KILLS):
            Event().wait(rng.uniform(0.0, 1.0))
            at_work += not driven.done()
            victim = processes.pop(rng.randrange(len(processes)))
            victim.kill()
            victim.communicate()
            processes.append(start(store.root))
        outcomes = driven.result()
    assert all(one.path for one in outcomes), outcomes
    assert contents(store, top) == contents(quiet, top)
    begun = Counter(inline.begun(toy_log))
    again = begun.total() - len(begun)
    print(f"{KILLS} kills, {at_work} before the end, {again} of {len(begun)} stages begun again")
    assert again <= KILLS
    for _ in range(100):  # the leases of the dead run out, where nobody has buried them
        store.sweep()
        if not [path for path in (store.root / "tmp").iterdir() if path.is_dir()]:
            break
        Event().wait(0.1)
    else:
        raise AssertionError("what the killed ones left is still there")


def test_clocks_that_jump_end_no_lease(tmp_path: Path, toy_log: Log) -> None:
    """By a day, forth and back, on machines that cannot see each other's processes."""
    store, top = shared(tmp_path / "store"), ladder(2, 3)
    first, second = start(store.root, "there", 86_400.0), start(store.root, "elsewhere", 86_400.0)
    try:
        drive(store, top)
        drive(store, [toy("wait", value=1, longer_s=2 * LEASE_S)])
    finally:
        for process in (first, second):
            process.kill()
            process.communicate()
    assert set(Counter(inline.begun(toy_log)).values()) == {1}
    assert toy_log().count("waited 1") == 1


def test_the_lease_of_a_dead_machine_runs_out(tmp_path: Path, toy_log: Log) -> None:
    store, made = shared(tmp_path / "store"), toy("number", value=7)
    with SharedExecutor(store) as executor:
        with running(store.root, host="there") as [process]:
            executor.submit(toy("hang", timeout_s=None))
            until(executor, lambda: any(line.startswith("hang") for line in toy_log()))
            worker = psutil.Process(process.pid)
            children = worker.children(recursive=True)
            process.kill()
            psutil.wait_procs(children, timeout=30)
        heard = next(filter(None, (executor.next_message(0.5) for _ in range(120))))
        assert isinstance(heard, Lost)
        assert heard.reason == "its worker is gone"
        # and one of a driver who died there, with an order that nobody waits for
        desk, lock = Desk.opened(store)
        desk.lay_out(1, order(made, store.place))
        assert isinstance(lock, SoftFileLease)
        path = Path(lock.lock_file)
        record = path.read_text()
        lock.release()
        own = next(line for line in record.splitlines() if line.startswith("host="))
        path.write_text(record.replace(own, "host=there"))
        assert len(list(desks(store))) == 2
        until(executor, lambda: len(list(desks(store))) == 1)
        assert not desk.folder.exists()


def test_two_drivers_share_the_work(tmp_path: Path, toy_log: Log) -> None:
    store, top = shared(tmp_path / "store"), ladder(3, 4)
    with running(store.root, 2), ThreadPoolExecutor(2) as threads:
        driven = [threads.submit(drive, Store(store.root), top) for _ in range(2)]
        for one in driven:
            assert all(outcome.path for outcome in one.result())
    assert set(Counter(inline.begun(toy_log)).values()) == {1}


def test_losses_and_errors_are_those_of_any_worker(tmp_path: Path, toy_log: Log) -> None:
    store = shared(tmp_path / "store")
    with running(store.root):
        died, fine, raised = drive(
            store, [toy("die", times=99), toy("number", value=1), toy("fail")]
        )
    assert died.failure is not None and died.failure.kind == "died"
    assert "SIGKILL" in died.failure.message
    assert fine.path is not None
    assert raised.failure is not None
    assert raised.failure.message == "ZeroDivisionError: a toy divided by zero"
    assert toy_log().count("die") == 3


def test_a_worker_that_is_stopped_gives_back_what_it_was_at(tmp_path: Path, toy_log: Log) -> None:
    store = shared(tmp_path / "store")
    with running(store.root) as [process], SharedExecutor(store) as executor:
        executor.submit(toy("hang", timeout_s=None))
        until(executor, lambda: len(toy_log()) == 1)
        executor.stop()  # first the driver goes, and the worker drops the stage
        pid = int(toy_log()[0].split()[1])
        until(executor, lambda: not psutil.pid_exists(pid))
        executor.submit(toy("hang", timeout_s=None))
        until(executor, lambda: len(toy_log()) == 2)
        process.send_signal(signal.SIGTERM)
        told, _ = process.communicate(timeout=60)
        assert process.returncode == 0
        assert told.endswith("answered 0\n")
        [desk] = desks(store)
        assert len(desk.names("ready")) == 1
        assert desk.names("taken") == desk.names("ended") == []
        lock = store.take(toy("hang").key)
        assert lock is not None
        lock.release()


def served(store: Store) -> list[str]:
    """What a worker says that looks around once."""
    told: list[str] = []
    Server(store, 1, told.append, PACKAGES).serve(Event(), leave_after_s=0.0)
    return [text for text in told if "leaving" not in text]


def test_a_worker_of_other_code_leaves_orders_alone(tmp_path: Path, toy_log: Log) -> None:
    store = shared(tmp_path / "store")
    heard: list[str] = []
    other = replace(toy("number", value=1), code="0" * 64)
    with SharedExecutor(store, heard.append) as executor:
        executor.submit(other)
        [told] = served(store)
        assert "the code of the stage number is not the same here" in told
        [desk] = desks(store)
        assert len(desk.names("ready")) == 1
        until(executor, lambda: told in heard)


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (lambda body: body | {"shell": "rm"}, "shell: Extra inputs"),
        (lambda body: body | {"timeout_s": "1"}, "timeout_s: Input should be a valid number"),
        (lambda body: body | {"params": {"value": 2}}, "its key is not the hash"),
        (lambda body: body | {"stage": "os:system; rm"}, "stage: String should match"),
        (lambda body: {}, "format: Field required"),
    ],
)
def test_a_forged_order_is_left_alone(
    tmp_path: Path,
    toy_log: Log,
    edit: Callable[[dict[str, object]], dict[str, object]],
    told: str,
) -> None:
    store = shared(tmp_path / "store")
    with SharedExecutor(store):
        [desk] = desks(store)
        name = desk.lay_out(1, order(toy("number", value=1), store.place))
        path = desk.folder / "ready" / name
        path.write_text(json.dumps(edit(json.loads(path.read_text()))))
        with pytest.raises(Unreadable, match=told):
            desk.read(name, store.root)
        assert told in served(store)[0]


def test_a_stage_of_a_package_that_is_not_ours_is_left_alone(tmp_path: Path, toy_log: Log) -> None:
    store = shared(tmp_path / "store")
    with SharedExecutor(store) as executor:
        executor.submit(total("above", {"x": toy("number", value=1)}))
        told: list[str] = []
        Server(store, 1, told.append).serve(Event(), leave_after_s=0.0)
        assert f"{STAGES} is no module of overopt" in told[0]


@pytest.mark.parametrize(
    "message",
    [
        Built("a" * 64, 1.5, 7, reused=False),
        Raised("a" * 64, "why", "where"),
        Lost("a" * 64, "timeout", "late"),
        InputMissing("a" * 64, "b" * 64),
        Refused("a" * 64, "full"),
    ],
)
def test_answers_travel_whole_or_not_at_all(tmp_path: Path, message: Message) -> None:
    store, name = shared(tmp_path / "store"), f"{1:08d}-{'a' * 64}"
    desk, lock = Desk.opened(store)
    assert desk.answer(name) is None
    desk.end(name, message)
    assert desk.answer(name) == message
    path = desk.folder / "ended" / name
    for text in (path.read_text()[:-2], path.read_text().replace("a" * 64, "c" * 64), "[]"):
        path.write_text(text)
        with pytest.raises(Unreadable):
            desk.answer(name)
    desk.close(lock)
    desk.end(name, message)
    assert not desk.folder.exists()
