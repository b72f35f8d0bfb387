"""Starts a confined process, watches what it uses, and says how it ended."""

from __future__ import annotations

import json
import os
import platform
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import psutil

from overopt.errors import UserError, one_line
from overopt.leaderboard.sandbox.delivery import Frame, Receiver, Spoiled
from overopt.leaderboard.sandbox.filters import ARCHITECTURES
from overopt.leaderboard.sandbox.limits import Limits
from overopt.leaderboard.sandbox.walls import SCRATCH

_PACKAGE = Path(__file__).parents[2]
_LIBRARIES = ("/usr/lib", "/usr/lib64", "/usr/lib32", "/usr/local/lib", "/lib", "/lib64")
_FILES = ("/etc/ld.so.cache",)
_POLL_S = 0.1
_KEPT_ERRORS = 64 << 10
_START = (
    "import sys; sys.path[:] = {path!r}; from overopt.leaderboard.sandbox.entering import main; "
    "main()"
)
_ENVIRONMENT = {
    "LANG": "C.UTF-8",
    "HOME": SCRATCH,
    "TMPDIR": SCRATCH,
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "PYTHONDONTWRITEBYTECODE": "1",
    "USER": "nobody",
    "LOGNAME": "nobody",
    "XDG_CACHE_HOME": SCRATCH,
    "TORCHINDUCTOR_CACHE_DIR": SCRATCH,
}


class Unavailable(UserError):
    """This system offers no walls that a stranger's file may run behind."""


class Ended(UserError):
    """A confined process did not do what it was asked to; the sentence says what became of it."""


@dataclass(frozen=True)
class Order:
    """What a confined process is to do.

    entry: ``module:function``, called with arguments and a ``delivery.Sender``.
    arguments: JSON.
    views: place outside -> place inside, of what it may read beside Python and this package.
    modules: further folders that it may import from.
    of_users: whether the walls begin with a namespace of users; only root can do without.
    """

    entry: str
    arguments: Mapping[str, Any]
    views: Mapping[Path, str] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)
    modules: tuple[Path, ...] = ()
    of_users: bool = field(default_factory=lambda: os.geteuid() != 0)


@dataclass
class Used:
    """What a confined process used: processor time, seconds, and its most resident memory."""

    wall_s: float = 0.0
    cpu_s: float = 0.0
    peak_bytes: int = 0


def require_walls() -> None:
    """Try every wall around a process that does nothing.

    Raises:
        Unavailable: one of them cannot be put up here.
    """
    nothing = Order("overopt.leaderboard.sandbox.launch:do_nothing", {}, {}, Limits(wall_s=60.0))
    confine(nothing, lambda frame: None)


def do_nothing(arguments: Mapping[str, Any], sender: object) -> None:
    """What is run to try the walls."""


def confine(order: Order, take: Callable[[Frame], None]) -> Used:
    """Run a function behind walls until it ends, and take what it hands over.

    Args:
        order: what runs, what it sees and how much it may use.
        take: called with every frame of progress and every file, in order.

    Returns:
        What it used.

    Raises:
        Unavailable: a wall cannot be put up; nothing of the order ran.
        Ended: it failed, was ended for going beyond a limit, or handed over what is not allowed.
    """
    if platform.system() != "Linux" or platform.machine() not in ARCHITECTURES:
        raise _unavailable(f"{platform.system()} on {platform.machine()} is not supported")
    shell = tempfile.mkdtemp(prefix="overopt-shell-")
    try:
        with _started(order, shell) as run:
            return run.to_end(take)
    finally:
        with suppress(OSError):
            Path(shell).rmdir()


def _unavailable(reason: str) -> Unavailable:
    return Unavailable(
        f"A stranger's method file is run only behind namespaces, seccomp and limits, which this "
        f"system does not offer ({one_line(reason, 300)}); use Linux with unprivileged user "
        "namespaces, or verify up to tier T2."
    )


@contextmanager
def _started(order: Order, shell: str) -> Iterator[_Run]:
    pipe_out, pipe_in = os.pipe()
    told_out, told_in = os.pipe()
    path = [*_python(), str(_PACKAGE.parent), *map(str, order.modules)]
    try:
        process = subprocess.Popen(
            [sys.executable, "-I", "-B", "-c", _START.format(path=path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            pass_fds=(pipe_in, told_in),
            env=_ENVIRONMENT,
            cwd="/",
            start_new_session=True,
        )
    finally:
        os.close(pipe_in)
        os.close(told_in)
    run = _Run(order.limits, process, pipe_out, told_out)
    document = {
        "entry": order.entry,
        "arguments": order.arguments,
        "limits": asdict(order.limits),
        "views": [*_views(path), *((str(out), inside) for out, inside in order.views.items())],
        "shell": shell,
        "of_users": order.of_users,
        "path": path,
        "pipe": pipe_in,
        "told": told_in,
    }
    try:
        assert process.stdin is not None
        with suppress(BrokenPipeError):
            process.stdin.write(json.dumps(document).encode() + b"\n")
            process.stdin.close()
        yield run
    finally:
        run.kill()


def _python() -> list[str]:
    """Where Python and installed packages lie, of all that is on the import path.

    The current folder may be on it, and a checkout: both hold results, and one may hold a store.
    """
    roots = [Path(root).resolve() for root in (sys.prefix, sys.base_prefix)]
    found = []
    for one in filter(None, sys.path):
        place = Path(one).resolve()
        installed = place.name in ("site-packages", "dist-packages")
        standard = any(place.is_relative_to(root / "lib") for root in roots)
        if place.exists() and (installed or standard):
            found.append(one)
    return found


def _views(path: Sequence[str]) -> list[tuple[str, str]]:
    """Python, its packages, this package and the system's libraries, at the places they are at."""
    wanted = [Path(one) for one in (*_LIBRARIES, *_FILES) if Path(one).exists()]
    wanted = [one for one in wanted if not one.is_symlink()]
    wanted += [_PACKAGE, *(Path(one) for one in path if Path(one) != _PACKAGE.parent)]
    views: list[tuple[str, str]] = []
    for one in sorted(set(wanted), key=lambda place: len(place.parts)):
        if not any(one.is_relative_to(seen) for seen, _ in views):
            views.append((str(one), str(one)))
    return views


class _Run:
    """One confined process, from its start to its end."""

    def __init__(
        self, limits: Limits, process: subprocess.Popen[bytes], pipe: int, told: int
    ) -> None:
        self._limits, self._process = limits, process
        self._pipe, self._told = pipe, told
        self._receiver = Receiver(limits.delivery_bytes)
        self._record: dict[str, Any] = {}
        self._errors = bytearray()
        self._told_text = bytearray()
        self._inside: psutil.Process | None = None
        self._last: Frame | None = None
        self._started_s = time.monotonic()
        self._peak_bytes = 0

    def to_end(self, take: Callable[[Frame], None]) -> Used:
        """Read until all ends of pipes are closed, or a limit is passed."""
        selector = selectors.DefaultSelector()
        assert self._process.stderr is not None
        for descriptor in (self._pipe, self._told, self._process.stderr.fileno()):
            selector.register(descriptor, selectors.EVENT_READ)
        open_ends = 3
        while open_ends:
            self._check()
            for key, _ in selector.select(_POLL_S):
                piece = os.read(key.fd, 1 << 16)
                if not piece:
                    selector.unregister(key.fd)
                    open_ends -= 1
                elif key.fd == self._pipe:
                    self._take(piece, take)
                elif key.fd == self._told:
                    self._told_text += piece
                    self._read_told()
                else:
                    self._errors += piece[: max(0, _KEPT_ERRORS - len(self._errors))]
        selector.close()
        self._process.wait()
        return self._judge()

    def _take(self, piece: bytes, take: Callable[[Frame], None]) -> None:
        try:
            for frame in self._receiver.feed(piece):
                if self._last is not None:
                    raise Spoiled("it went on after its end")
                if frame.kind in ("end", "error", "refused"):
                    self._last = frame
                else:
                    take(frame)
        except Spoiled as error:
            raise Ended(f"The confined process was ended: {error}.") from error

    def _read_told(self) -> None:
        *lines, rest = self._told_text.split(b"\n")
        self._told_text = bytearray(rest)
        for line in lines:
            self._record |= json.loads(line)
        if self._inside is None and "pid" in self._record:
            with suppress(psutil.NoSuchProcess):
                self._inside = psutil.Process(int(self._record["pid"]))

    def _check(self) -> None:
        """End it where it has taken too long, or holds too much memory."""
        limits = self._limits
        if time.monotonic() - self._started_s > limits.wall_s:
            raise Ended(f"The confined process was ended: it took longer than {limits.wall_s:g} s.")
        if self._inside is None:
            return
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            held = self._inside.memory_info().rss
            self._peak_bytes = max(self._peak_bytes, held)
            if held > limits.memory_bytes:
                raise Ended(
                    "The confined process was ended: it held more than "
                    f"{limits.memory_bytes >> 20} MiB of memory."
                )

    def _judge(self) -> Used:
        last, code = self._last, self._record.get("code")
        words = one_line(str(last.head.get("words", "")), 1000) if last is not None else ""
        if last is not None and last.kind == "refused":
            raise _unavailable(words)
        if code is None:
            said = one_line(self._errors.decode(errors="replace").strip()[-300:])
            raise _unavailable(said or f"it ended with code {self._process.returncode}")
        cpu_s = float(self._record["cpu_s"])
        if code == -signal.SIGKILL and cpu_s >= self._limits.cpu_s - 1:
            raise Ended(
                "The confined process was ended: it took more than "
                f"{self._limits.cpu_s} s of processor time."
            )
        if last is not None and last.kind == "error":
            raise Ended(f"The confined process failed: {words}")
        if code != 0 or last is None:
            how = f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
            raise Ended(f"The confined process {how} before it was done.")
        wall_s = time.monotonic() - self._started_s
        return Used(wall_s, cpu_s, max(self._peak_bytes, int(self._record["peak_bytes"])))

    def kill(self) -> None:
        """End both halves, whatever they do, and wait until they are gone."""
        for one in (self._inside, self._process):
            with suppress(psutil.NoSuchProcess, ProcessLookupError, OSError):
                if one is not None:
                    one.kill()
        self._process.wait()
        for descriptor in (self._pipe, self._told):
            with suppress(OSError):
                os.close(descriptor)
        if self._process.stderr is not None:
            self._process.stderr.close()
