"""One stage in one process: read the inputs from the store, run, write the artifact.

Nothing here imports torch; a stage's module does, after the process was told to use one thread.
"""

from __future__ import annotations

import ctypes
import importlib
import inspect
import json
import os
import platform
import shutil
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from multiprocessing import parent_process
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnContext, SpawnProcess
from pathlib import Path
from types import ModuleType

import psutil

from overopt.errors import UserError, one_line, words_of
from overopt.execution.artifact import Damage, InputEntry, tree_bytes
from overopt.execution.code.modules import is_file, only
from overopt.execution.code.version import LIBRARIES, code_version, library_version
from overopt.execution.contract import Progress
from overopt.execution.costs import Receipt
from overopt.execution.disk_errors import disk_is_full, explain_disk_error
from overopt.execution.messages import Built, Busy, InputMissing, Lost, Message, Raised, Refused
from overopt.execution.node import Node
from overopt.execution.progress import piped_progress
from overopt.execution.stage import stage_function, stage_module
from overopt.execution.store import Store, open_store

SINGLE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "NUMEXPR_NUM_THREADS": "1",
    "VECLIB_MAXIMUM_THREADS": "1",
}
OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TOKENIZERS_PARALLELISM": "false",
}
_PR_SET_PDEATHSIG = 1
_DEAF = signal.SIG_IGN
_SAFE_PATH = "PYTHONSAFEPATH"
_LONGEST_TRACE = 50_000
"""Characters of a traceback that are kept with a failure."""
_FRAMES = 100
_to_driver: Connection | None = None
"""A worker's end of its pipe to the driver; a connection can travel only when a process starts."""


@dataclass(frozen=True)
class Order:
    """A node as a worker gets it: keys and JSON, never tensors.

    place: of the store, see ``open_store``. is_held: whether whoever gives the order holds the
    key's lock until its end.
    """

    place: str
    key: str
    node: Node
    input_keys: Mapping[str, str]
    is_held: bool = False


def order(made: Node, place: str | Path) -> Order:
    """The order for a node in the store at a place; the node travels without its ancestors."""
    alone = replace(made, inputs=())
    return Order(str(place), made.key, alone, {role: given.key for role, given in made.inputs})


class _SafeProcess(SpawnProcess):
    """A process that starts without the current folder on its import path, or the main script."""

    def start(self) -> None:
        """Start it. The environment says so while it starts, and to none of its children."""
        before, main = os.environ.get(_SAFE_PATH), sys.modules["__main__"]
        os.environ[_SAFE_PATH] = "1"
        sys.modules["__main__"] = ModuleType("__main__")  # names no file to run again
        try:
            super().start()
        finally:
            sys.modules["__main__"] = main
            if before is None:
                del os.environ[_SAFE_PATH]
            else:
                os.environ[_SAFE_PATH] = before


class _SafeContext(SpawnContext):
    Process = _SafeProcess


def spawning() -> SpawnContext:
    """How worker processes start: afresh, without the current folder on their import path.

    Else a file named ``pickle.py`` that happens to lie there would run in each of them. They do not
    import the main script either: it need not guard its calls by its name, and may be none, as on
    standard input. What they are given must not be defined in it.
    """
    return _SafeContext()


def enter_process(driver_pid: int, to_driver: Connection) -> None:
    """Set up a worker that builds stages; see ``enter_alone``.

    Args:
        driver_pid: the process that this one must not outlive.
        to_driver: where stages of this process report their progress.
    """
    global _to_driver
    _to_driver = to_driver
    os.set_blocking(to_driver.fileno(), False)
    enter_alone(driver_pid)


def enter_alone(driver_pid: int) -> None:
    """Set up a process: one thread, offline, deaf to Ctrl-C, gone when the driver is gone."""
    os.environ.pop(_SAFE_PATH, None)
    os.environ.update(SINGLE_THREAD)
    os.environ.update(OFFLINE)
    signal.signal(signal.SIGINT, _DEAF)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != driver_pid:
            os._exit(1)
    parent = parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _end_with(sentinel: int) -> None:
    """Wait for the driver's end, on any system, and end this process at once."""
    wait([sentinel])
    os._exit(1)


def build_reporting(task: Order, number: int) -> Message:
    """``build`` in a worker, with reports to the driver under the number of the attempt."""
    assert _to_driver is not None, "a worker is entered before it builds"
    piped_progress(number, _to_driver)(0.0, "")
    return build(task, piped_progress(number, _to_driver))


def build(task: Order, progress: Progress) -> Message:
    """Build one artifact and say what came of it; only what kills the process raises.

    The key's lock is held meanwhile; where another process holds it, ``Busy`` comes back at once.
    """
    store = _store(task.place)
    try:
        if task.is_held:
            return _build_locked(store, task, progress)
        with store.lock(task.key) as held:
            return _build_locked(store, task, progress) if held else Busy(task.key)
    except UserError as error:
        return Refused(task.key, str(error))
    except OSError as error:
        sentence = explain_disk_error(store.root, error)
        return Refused(task.key, sentence) if sentence else _raised(task.key, error)


def _build_locked(store: Store, task: Order, progress: Progress) -> Message:
    paths: dict[str, Path] = {}
    used: dict[str, InputEntry] = {}
    for role, input_key in task.input_keys.items():
        path, digest = store.open(input_key), store.digest(input_key)
        if path is None or digest is None:
            return InputMissing(task.key, input_key)
        paths[role], used[role] = path, InputEntry(input_key, digest)
    paths.update({Path(own).name: Path(own) for own in task.node.extra_code if is_file(own)})
    if store.made_from(task.key, used):
        return Built(task.key, 0.0, 0, reused=True)
    draft = store.draft(task.key)
    started_s, started_cpu_s = time.monotonic(), time.process_time()
    _reset_peak_memory()
    try:
        stage = _stage(task.node)
        kept = {"kept": store.kept(task.key)} if _keeps(stage) else {}
        with only(task.node.extra_code):
            stage(json.loads(json.dumps(task.node.params)), paths, draft, progress, **kept)
        receipt = Receipt(
            stage=task.node.stage,
            label=task.node.label,
            kind=task.node.kind,
            wall_s=time.monotonic() - started_s,
            cpu_s=time.process_time() - started_cpu_s,
            peak_memory_bytes=_peak_memory_bytes(),
            size_bytes=tree_bytes([draft]),
            pid=os.getpid(),
            host=platform.node(),
            finished_unix_s=time.time(),
            versions=_versions(),
            extra_code=task.node.extra_code,
        )
    except BaseException as error:
        # code of a user's own may raise anything; a worker is deaf to Ctrl-C itself
        if isinstance(error, KeyboardInterrupt) and signal.getsignal(signal.SIGINT) != _DEAF:
            raise
        if store.is_lost:
            return Lost(task.key, "died", "its worker stood still for so long that it was given up")
        if disk_is_full(error):
            return Refused(task.key, explain_disk_error(store.root, error) or str(error))
        return _raised(task.key, error)
    else:
        try:
            store.commit(task.key, draft, task.node, used, receipt)
        except (ValueError, Damage) as error:
            return _raised(task.key, error)
        return Built(task.key, receipt.wall_s, receipt.peak_memory_bytes, reused=False)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _keeps(stage: Callable[..., None]) -> bool:
    """Whether a stage asks for a folder that outlives a killed process."""
    return "kept" in inspect.signature(stage).parameters


def _raised(key: str, error: BaseException) -> Raised:
    if isinstance(error, UserError):
        return Raised(key, str(error), "")
    text = "".join(traceback.format_exception(error, limit=_FRAMES))
    if len(text) > _LONGEST_TRACE:
        text = f"{text[: _LONGEST_TRACE // 2]}\n...\n{text[-_LONGEST_TRACE // 2 :]}"
    return Raised(key, f"{type(error).__name__}: {one_line(words_of(error))}", text)


@cache
def _store(place: str) -> Store:
    return open_store(place)


@cache
def _versions() -> dict[str, str]:
    return {
        "python": platform.python_version(),
        **{name: library_version(name) for name in LIBRARIES},
    }


def _stage(made: Node) -> Callable[..., None]:
    """Import the stage's function, in a process that uses one torch thread from then on.

    Raises:
        UserError: the code was edited since the node's key was taken.
    """
    if code_version(stage_module(made.stage), *made.extra_code) != made.code:
        raise UserError(
            f"The code of the stage {made.name} was edited while the run was going on, or is of "
            "another version on this machine; "
            "give the same command again to run the new code."
        )
    function: Callable[..., None] = getattr(
        importlib.import_module(stage_module(made.stage)), stage_function(made.stage)
    )
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(1)
    return function


def _reset_peak_memory() -> None:
    """Forget the peak of earlier stages in this process, where the system can (Linux)."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return


def _peak_memory_bytes() -> int:
    """Largest resident memory since the reset; of the process's life where it cannot be reset."""
    try:
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return int(psutil.Process().memory_info().rss)
