"""The walls around a confined process, put up from inside before any of a stranger's code is read.

One after another: namespaces of its own (mounts, processes, network, shared memory, host name; of
users as well where whoever starts it is not root), a root file system in memory that holds
read-only views of what it needs and nothing else, limits, another user without any right, no way to
regain one, and a filter on system calls. There is no ``/proc``, no ``/sys`` and no device but
``null``, ``zero`` and ``urandom``; of what libraries read there about the processor, plain copies.

Reference: Linux manual pages namespaces(7), user_namespaces(7), pid_namespaces(7), mount(2),
pivot_root(2), capabilities(7), prctl(2), setrlimit(2). The order of steps is that of bubblewrap,
https://github.com/containers/bubblewrap, read as documentation; no code of it is here.
"""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from overopt.leaderboard.sandbox.filters import build_filter

_NEW_MOUNTS, _NEW_CGROUP, _NEW_UTS, _NEW_IPC = 0x00020000, 0x02000000, 0x04000000, 0x08000000
_NEW_USERS, _NEW_PIDS, _NEW_NETWORK = 0x10000000, 0x20000000, 0x40000000
_READ_ONLY, _NO_SUID, _NO_DEVICES, _NO_PROGRAMS = 1, 2, 4, 8
_REMOUNT, _BIND, _RECURSIVE, _PRIVATE = 32, 4096, 16384, 1 << 18
_NO_ATIME, _NO_DIR_ATIME, _RELATIVE_ATIME = 1024, 2048, 1 << 21
_SHOWN_RELATIVE_ATIME = 4096
_DETACH = 2
_DEATH_SIGNAL, _DUMPABLE, _NO_NEW_RIGHTS, _SECCOMP, _DROP_BOUND = 1, 4, 38, 22, 24
_FILTER_MODE = 2
_CAPABILITY_VERSION = 0x20080522
_UNUSED_USERS = 1_500_000_000
"""The first of users that no system gives to anybody."""
_DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom")
COPIED = (
    "/proc/cpuinfo",
    "/sys/devices/system/cpu/possible",
    "/sys/devices/system/cpu/present",
    "/sys/devices/system/cpu/online",
)
"""What libraries read of the processor; without it, torch takes slower ways to compute."""
SCRATCH = "/scratch"
"""Where a confined process may write."""

_libc = ctypes.CDLL(None, use_errno=True)


class WallError(Exception):
    """A wall that cannot be put up here; the text says which and why."""


def _call(what: str, function: Callable[..., int], *arguments: object) -> None:
    if function(*arguments) != 0:
        number = ctypes.get_errno()
        raise WallError(f"{what}: {os.strerror(number)}")


def die_with_parent() -> None:
    """Be killed when the process that started this one is gone."""
    _call("prctl", _libc.prctl, _DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)


def leave_namespaces(of_users: bool) -> None:
    """Enter namespaces of one's own; processes that start from now on are alone in theirs.

    Args:
        of_users: whether also one of users, which whoever is not root needs for all others.

    Raises:
        WallError: the system does not allow it.
    """
    user, group = os.geteuid(), os.getegid()
    flags = _NEW_MOUNTS | _NEW_CGROUP | _NEW_UTS | _NEW_IPC | _NEW_PIDS | _NEW_NETWORK
    if of_users:
        flags |= _NEW_USERS
    _call("namespaces", _libc.unshare, flags)
    if of_users:
        for name, text in (
            ("setgroups", "deny"),
            ("uid_map", f"0 {user} 1"),
            ("gid_map", f"0 {group} 1"),
        ):
            try:
                Path("/proc/self", name).write_text(text, encoding="ascii")
            except OSError as error:
                raise WallError(f"a namespace of users: {name}: {error.strerror}") from error


def build_root(shell: Path, views: Sequence[tuple[str, str]], scratch_bytes: int) -> None:
    """Exchange the root file system for one in memory with read-only views of some places.

    Args:
        shell: an empty folder that the new root is mounted over.
        views: (place outside, place inside) of files and folders.
        scratch_bytes: size of the one place that can be written.

    Raises:
        WallError: the system does not allow it.
    """
    _mount(None, "/", None, _RECURSIVE | _PRIVATE)
    copies = {place: _read(place) for place in COPIED}
    strict = _NO_SUID | _NO_DEVICES
    _mount("tmpfs", str(shell), "tmpfs", strict, "mode=0755,size=1m")
    for outside, inside in views:
        _view(outside, f"{shell}{inside}", strict)
    for device in _DEVICES:
        _view(device, f"{shell}{device}", _NO_SUID)
    for place, text in copies.items():
        if text:
            copy = Path(f"{shell}{place}")
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(text)
    for link in ("/lib", "/lib64"):
        if Path(link).is_symlink() and not Path(f"{shell}{link}").exists():
            Path(f"{shell}{link}").symlink_to(Path(link).readlink())
    scratch = Path(f"{shell}{SCRATCH}")
    scratch.mkdir(exist_ok=True)
    options = f"mode=1777,size={scratch_bytes},nr_inodes=4096"
    _mount("tmpfs", str(scratch), "tmpfs", strict | _NO_PROGRAMS, options)
    os.chdir(shell)
    _call("pivot_root", _libc.syscall, _pivot_root(), b".", b".")
    _call("umount", _libc.umount2, b".", _DETACH)
    os.chdir("/")
    _mount(None, "/", None, _REMOUNT | _BIND | _READ_ONLY | strict)
    os.chdir(SCRATCH)


def _read(place: str) -> bytes:
    try:
        return Path(place).read_bytes()[: 128 << 10]
    except OSError:
        return b""


def _pivot_root() -> int:
    return {"x86_64": 155, "aarch64": 41}[platform.machine()]


def _mount(
    source: str | None, target: str, kind: str | None, flags: int, options: str | None = None
) -> None:
    given = [None if one is None else one.encode() for one in (source, target, kind, options)]
    what = f"mount of {source or target}"
    _call(what, _libc.mount, given[0], given[1], given[2], ctypes.c_ulong(flags), given[3])


def _view(outside: str, inside: str, flags: int) -> None:
    """A place of the old root, read-only, in the new one."""
    target = Path(inside)
    if Path(outside).is_dir():
        target.mkdir(parents=True, exist_ok=True)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch()
    _mount(outside, inside, None, _BIND)
    has = os.statvfs(inside).f_flag
    # what a mount forbids, another namespace of users may not allow again
    kept = has & (_NO_SUID | _NO_DEVICES | _NO_PROGRAMS | _NO_ATIME | _NO_DIR_ATIME)
    kept |= _RELATIVE_ATIME if has & _SHOWN_RELATIVE_ATIME else 0
    _mount(None, inside, None, _REMOUNT | _BIND | _READ_ONLY | flags | kept)


def set_limits(limits: Mapping[str, Any]) -> None:
    """Bound processor time, memory, files and threads; see ``limits.Limits``."""
    memory = int(limits["memory_bytes"])
    mapped = memory + (4 << 30)  # libraries map more than they use
    for what, bound in (
        (resource.RLIMIT_CPU, int(limits["cpu_s"])),
        (resource.RLIMIT_DATA, memory),
        (resource.RLIMIT_AS, mapped),
        (resource.RLIMIT_FSIZE, int(limits["scratch_bytes"])),
        (resource.RLIMIT_NOFILE, int(limits["open_files"])),
        (resource.RLIMIT_NPROC, int(limits["threads"])),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_MEMLOCK, 1 << 20),
    ):
        resource.setrlimit(what, (bound, bound))


def drop_rights(is_root: bool) -> None:
    """Become a user without any right; root becomes one that nobody else is.

    Args:
        is_root: whether this process is root outside, and not in a namespace of users only.

    Raises:
        WallError: the system does not allow it.
    """
    if is_root:
        nobody = _UNUSED_USERS + os.getpid() + int.from_bytes(os.urandom(3))
        os.setgroups([])
        os.setresgid(nobody, nobody, nobody)
        for capability in range(64):
            _libc.prctl(_DROP_BOUND, capability, 0, 0, 0)
        os.setresuid(nobody, nobody, nobody)
    head = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
    _call("rights", _libc.capset, head, (ctypes.c_uint32 * 6)())
    _call("no new rights", _libc.prctl, _NO_NEW_RIGHTS, 1, 0, 0, 0)
    _call("memory dumps", _libc.prctl, _DUMPABLE, 0, 0, 0, 0)
    die_with_parent()


def filter_calls() -> None:
    """Refuse system calls for good; see ``filters``.

    Raises:
        WallError: the system does not allow it.
    """
    program = build_filter(platform.machine())

    class Program(ctypes.Structure):
        _fields_ = (("statements", ctypes.c_ushort), ("at", ctypes.c_char_p))

    made = Program(len(program) // 8, program)
    _call("seccomp", _libc.prctl, _SECCOMP, _FILTER_MODE, ctypes.byref(made), 0, 0)


def close_all_but(*descriptors: int) -> None:
    """Close every other open file."""
    kept = sorted({0, 1, 2, *descriptors})
    for low, high in zip(kept, [*kept[1:], 1 << 16], strict=True):
        os.closerange(low + 1, high)
