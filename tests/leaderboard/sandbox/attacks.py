"""What a hostile method file might try; each function runs behind the walls and returns in vain.

An attack that works returns; one that fails raises. It is imported inside, by its bare name.
"""

# ruff: noqa: PTH101, PTH102, PTH123, PTH208, PTH211, SIM115
from __future__ import annotations

import ctypes
import errno
import fcntl
import mmap
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

Arguments = dict[str, Any]


def _system(number: int, *arguments: object) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(number, *arguments) == -1:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def opens_a_socket() -> None:
    socket.create_connection(("127.0.0.1", 22), timeout=1)


def opens_a_local_socket() -> None:
    socket.socket(socket.AF_UNIX)


def talks_to_itself() -> None:
    socket.socketpair()


def writes_to_the_store(place: str) -> None:
    with open(f"{place}/stolen", "w") as stream:
        stream.write("x")


def reads_the_store(place: str) -> None:
    with open(f"{place}/gold.json") as stream:
        stream.read()


def climbs_out() -> None:
    with open("/../../../../etc/passwd") as stream:
        stream.read()


def follows_a_link() -> None:
    os.symlink("/etc/passwd", "/scratch/link")
    with open("/scratch/link") as stream:
        stream.read()


def reads_users() -> None:
    with open("/etc/shadow") as stream:
        stream.read()


def lists_homes() -> None:
    seen = [name for place in ("/root", "/home") for name in os.listdir(place)]
    # on some machines Python itself lies below a home
    if set(seen) <= {".pyenv", ".local", ".venv"}:
        raise FileNotFoundError("nothing but Python")


def changes_the_package() -> None:
    import overopt

    with open(overopt.__file__ or "", "a") as stream:
        stream.write("x = 1")


def changes_the_root() -> None:
    os.mkdir("/mine")


def remounts() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"none", b"/", None, ctypes.c_ulong(32), None) == -1:
        raise OSError(ctypes.get_errno(), "mount")


def leaves_by_a_namespace() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(0x10000000) == -1:
        raise OSError(ctypes.get_errno(), "unshare")


def changes_its_root() -> None:
    os.chroot("/scratch")


def becomes_root() -> None:
    os.setuid(0)


def bombs_with_forks() -> None:
    while True:
        os.fork()


def starts_a_shell() -> None:
    subprocess.run([sys.executable, "-c", "1"], check=True)


def becomes_another_program() -> None:
    os.execv(sys.executable, [sys.executable, "-c", "1"])


def bombs_with_threads() -> None:
    for _ in range(2000):
        threading.Thread(target=time.sleep, args=(30,), daemon=True).start()


def eats_memory() -> None:
    held = []
    while True:
        held.append(bytearray(64 << 20))


def eats_shared_memory() -> None:
    held = []
    while True:
        block = mmap.mmap(-1, 64 << 20)
        block.write(b"x" * (64 << 20))
        held.append(block)


def loops_for_ever() -> None:
    while True:
        pass


def sleeps_for_ever() -> None:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    time.sleep(1000)


def fills_the_disk() -> None:
    with open("/scratch/large", "wb") as stream:
        while True:
            stream.write(bytes(1 << 20))


def makes_many_files() -> None:
    for number in range(100_000):
        with open(f"/scratch/{number}", "w"):
            pass


def opens_many_files() -> None:
    held = [open("/dev/null") for _ in range(5000)]
    held.clear()


def traces_its_parent() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.ptrace(16, 1, 0, 0) == -1:
        raise OSError(ctypes.get_errno(), "ptrace")


def kills_its_parent(pid: str) -> None:
    os.kill(int(pid), signal.SIGKILL)


def kills_everybody() -> None:
    os.kill(-1, signal.SIGKILL)


def reads_other_processes() -> None:
    others = set(os.listdir("/proc")) - {"cpuinfo"}
    if not others:
        raise FileNotFoundError("no other process in /proc")


def reads_memory_of_its_parent(pid: str) -> None:
    with open(f"/proc/{pid}/mem", "rb") as stream:
        stream.read(1)


def raises_its_limits() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (10**6, 10**6))


def reads_open_files() -> None:
    found = []
    for number in range(3, 1024):
        try:
            fcntl.fcntl(number, fcntl.F_GETFD)
            found.append(number)
        except OSError:
            continue
    if len(found) == 1:  # the pipe on which it hands over
        raise FileNotFoundError("no other open file")


def reads_secrets() -> None:
    if "OVEROPT_SECRET" not in os.environ:
        raise KeyError("no secret in the environment")


def asks_for_other_calls() -> None:
    _system(425, 8, 0)  # io_uring_setup
    _system(321, 0, 0, 0)  # bpf


def shares_memory_of_the_system() -> None:
    _system(29, 42, 4096, 0o1666)  # shmget


def runs_a_program_of_its_own() -> None:
    shutil.copy(sys.executable, "/scratch/program")
    os.chmod("/scratch/program", 0o755)
    os.posix_spawn("/scratch/program", ["program"], {})


def uses_calls_of_another_mode() -> None:
    _system(0x40000000 | 41, 2, 1, 0)


def makes_a_device() -> None:
    os.mknod("/scratch/disk", 0o600 | 0o060000, os.makedev(253, 0))


def leaves_without_a_word() -> None:
    os._exit(0)


def raises_a_strange_error() -> None:
    raise SystemExit(0)


def fails_in_many_lines() -> None:
    raise ValueError("first\nsecond \x1b[31m" + "x" * 10_000)


ATTACKS: dict[str, Callable[..., None]] = {
    name: one for name, one in list(globals().items()) if callable(one) and name[0].islower()
}


def attack(arguments: Arguments, sender: Any) -> None:
    """Carry one attack out; ``arguments`` names it and says what it aims at."""
    ATTACKS[arguments["name"]](*arguments["aims"])


def leave_a_file(arguments: Arguments, sender: Any) -> None:
    """Write where it may."""
    with open("/scratch/left-behind-by-a-method", "w") as stream:
        stream.write("here")
    sender.send("progress", text="written")


def flood(arguments: Arguments, sender: Any) -> None:
    """Hand over without an end."""
    while True:
        sender.send("file", bytes(1 << 20), name="x")


def lie(arguments: Arguments, sender: Any) -> None:
    """Write what is no frame into the pipe."""
    pipe = next(n for n in range(3, 1024) if _is_open(n))
    os.write(pipe, arguments["text"].encode())


def go_on(arguments: Arguments, sender: Any) -> None:
    """Say that it is done, and say more."""
    sender.send("end")
    sender.send("file", b"more", name="x")


def flood_errors(arguments: Arguments, sender: Any) -> None:
    """Print without an end, and end well."""
    for _ in range(64):
        sys.stdout.write("x" * (1 << 16))
        sys.stderr.write("x" * (1 << 16))


def _is_open(number: int) -> bool:
    try:
        fcntl.fcntl(number, fcntl.F_GETFD)
    except OSError as error:
        return error.errno != errno.EBADF
    return True
