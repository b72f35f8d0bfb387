"""Before any test imports torch: one thread per process, and no reaching for the network."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).parents[1]

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("MPLBACKEND", "agg")

# Tests never assert on time: a busy machine makes any example slow.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")

# A shell that starts a job in the background has it ignore Ctrl-C, and children inherit that; the
# tests of interruption need the signal.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def committed_results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results that are under version control, without what the user has run beside them.

    A copy, as runs write to ``results`` too. Where there is no checkout, ``results`` as it is.
    """
    listed = ("git", "-C", str(ROOT), "ls-files", "-z", "results")
    try:
        found = subprocess.run(listed, capture_output=True, check=True, text=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return ROOT / "results"
    folder = tmp_path_factory.mktemp("committed")
    for name in filter(None, found.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, folder / name)
    return folder / "results"


@pytest.fixture
def unprivileged() -> Callable[[], AbstractContextManager[Path]]:
    """A place for a while without the super-user's power to write anywhere.

    What a test needs of modules it imports before: their files may be the super-user's own.
    """
    return _be_nobody


@contextmanager
def _be_nobody() -> Iterator[Path]:
    """A folder of one's own."""
    folder = Path(tempfile.mkdtemp())
    user = os.geteuid()
    try:
        if user == 0:
            os.chown(folder, 65534, 65534)
            os.seteuid(65534)
        yield folder
    finally:
        os.seteuid(user)
        for at, folders, _ in os.walk(folder):
            for name in folders:
                Path(at, name).chmod(0o700)
        shutil.rmtree(folder)
