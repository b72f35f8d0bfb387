"""Tiny stages for the tests of the runner; each leaves a line in the file that $TOY_LOG names."""

from __future__ import annotations

import errno
import os
import signal
import threading
from pathlib import Path
from typing import Any

from overopt.execution.code.modules import load_module
from overopt.execution.contract import Progress


def log(text: str) -> None:
    """Append one line in a single write, so that lines of several processes never mix."""
    descriptor = os.open(os.environ["TOY_LOG"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(descriptor, f"{text}\n".encode())
    os.close(descriptor)


def read(folder: Path) -> int:
    """The number in an artifact."""
    return int((folder / "number.txt").read_text())


def write(out: Path, number: int) -> None:
    """An artifact of two files, one of them in a folder."""
    (out / "number.txt").write_text(f"{number}\n")
    (out / "deep").mkdir()
    (out / "deep" / "table.bin").write_bytes(number.to_bytes(8, "big") * 64)


def number(params: dict[str, Any], inputs: dict[str, Path], out: Path, progress: Progress) -> None:
    """A given number."""
    progress(0.5, "half way")
    write(out, params["value"])
    log(f"end {params['value']}")


def total(params: dict[str, Any], inputs: dict[str, Path], out: Path, progress: Progress) -> None:
    """A name's number plus twice the sum of the inputs."""
    log(f"begin {params['name']}")
    (out / "half.txt").write_text("written first")
    write(out, params.get("value", 0) + 2 * sum(read(inputs[role]) for role in sorted(inputs)))
    log(f"end {params['name']}")


def fail(params: dict[str, Any], inputs: dict[str, Path], out: Path, progress: Progress) -> None:
    """An error of the stage's own."""
    log("fail")
    raise ZeroDivisionError("a toy divided by zero")


def shout(params: dict[str, Any], inputs: dict[str, Path], out: Path, progress: Progress) -> None:
    """An error that says more than anybody reads, in letters that steer a terminal."""
    raise RuntimeError("\x1b[2J\n" + "x" * 1_000_000)


def mumble(params: dict[str, Any], inputs: dict[str, Path], out: Path, progress: Progress) -> None:
    """An error that cannot be put in words."""

    class Wordless(Exception):
        def __str__(self) -> str:
            raise ZeroDivisionError

    raise Wordless


def die(params: dict[str, Any], inputs: dict[str, Path], out: Path, progress: Progress) -> None:
    """Killed the first ``times`` times, as by a want of memory."""
    log("die")
    if Path(os.environ["TOY_LOG"]).read_text().split().count("die") <= params["times"]:
        os.kill(os.getpid(), signal.SIGKILL)
    write(out, 1)


def leave(params: dict[str, Any], inputs: dict[str, Path], out: Path, progress: Progress) -> None:
    """Ends its process as if all were well."""
    log(f"leave {os.getpid()}")
    os._exit(0)


def interrupt(
    params: dict[str, Any], inputs: dict[str, Path], out: Path, progress: Progress
) -> None:
    """Raises what nobody has pressed."""
    log("interrupt")
    raise KeyboardInterrupt("a toy's own")


def hang(params: dict[str, Any], inputs: dict[str, Path], out: Path, progress: Progress) -> None:
    """Never ends."""
    progress(0.1, "hanging")
    log(f"hang {os.getpid()}")
    threading.Event().wait()


def wait(params: dict[str, Any], inputs: dict[str, Path], out: Path, progress: Progress) -> None:
    """A given number, after some seconds."""
    log(f"waited {params['value']}")
    threading.Event().wait(params["longer_s"])
    write(out, params["value"])


def stall(params: dict[str, Any], inputs: dict[str, Path], out: Path, progress: Progress) -> None:
    """A given number, once the log has a line that lets it go on."""
    log(f"stall {params['value']} {os.getpid()} {os.getppid()}")
    while "go" not in Path(os.environ["TOY_LOG"]).read_text().split():
        threading.Event().wait(0.05)
    write(out, params["value"])


def fill(params: dict[str, Any], inputs: dict[str, Path], out: Path, progress: Progress) -> None:
    """Writes a given number of bytes."""
    (out / "large.bin").write_bytes(bytes(params["size_bytes"]))


def squeeze(params: dict[str, Any], inputs: dict[str, Path], out: Path, progress: Progress) -> None:
    """Writes to the system's device that is always full, until a line of the log says otherwise."""
    freed = "freed" in Path(os.environ["TOY_LOG"]).read_text().split()
    log("squeeze")
    with (out / "number.txt" if freed else Path("/dev/full")).open("w") as stream:
        stream.write("1\n")


def full(params: dict[str, Any], inputs: dict[str, Path], out: Path, progress: Progress) -> None:
    """Meets a full disk inside of a library that wraps the error."""
    (out / "part.bin").write_bytes(b"part")
    try:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    except OSError as error:
        raise RuntimeError("serialization failed") from error


def reach(params: dict[str, Any], inputs: dict[str, Path], out: Path, progress: Progress) -> None:
    """Loads a module by name."""
    load_module(params["module"])
    write(out, 1)


def nothing(params: dict[str, Any], inputs: dict[str, Path], out: Path, progress: Progress) -> None:
    """Forgets to write."""


def threads(params: dict[str, Any], inputs: dict[str, Path], out: Path, progress: Progress) -> None:
    """The environment that a worker gives to a stage."""
    names = ("OMP_NUM_THREADS", "HF_HUB_OFFLINE", "TOKENIZERS_PARALLELISM")
    (out / "environment.txt").write_text(" ".join(os.environ[name] for name in names))


def slow(
    params: dict[str, Any],
    inputs: dict[str, Path],
    out: Path,
    progress: Progress,
    kept: Path | None = None,
) -> None:
    """Counts to three, one at a time, and is killed after each of the first two."""
    assert kept is not None
    kept.mkdir(parents=True, exist_ok=True)
    done = len(list(kept.iterdir())) + 1
    (kept / str(done)).touch()
    log(f"counted {done}")
    if done < 3:
        os.kill(os.getpid(), signal.SIGKILL)
    write(out, done)
