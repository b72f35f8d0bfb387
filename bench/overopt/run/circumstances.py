"""Where, when and with what a run was made, for its record."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from overopt import __version__
from overopt.catalog.packages import registered
from overopt.spec.method import MethodSpec
from overopt.spec.system import ProxySystemSpec

_PACKAGES = ("torch", "transformers", "trl", "accelerate", "numpy", "scipy", "pandas", "pyarrow")


def circumstances(*specs: MethodSpec | ProxySystemSpec) -> dict[str, Any]:
    """Where, when and with what it ran; packages include those that add a method or proxy."""
    added = {
        one.package.rpartition(" ")[::2]
        for kind in ("methods", "proxies")
        for one in registered(kind)
        if one.module in {spec.source for spec in specs}
    }
    return {
        "finished_utc": datetime.now(UTC).isoformat(timespec="seconds"),
        "overopt": __version__,
        "packages": {**{name: version(name) for name in _PACKAGES}, **dict(sorted(added))},
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        "cpus": os.cpu_count(),
        "threads_per_worker": 1,
        **_commit(),
    }


def _commit() -> dict[str, Any]:
    """Commit of the checkout that the package lies in, if it lies in one."""

    def git(*words: str) -> str | None:
        try:
            done = subprocess.run(
                ["git", "-C", str(Path(__file__).parent), *words],
                capture_output=True,
                text=True,
                check=True,
                timeout=20,
            )
        except (OSError, subprocess.SubprocessError):
            return None
        return done.stdout.strip()

    commit = git("rev-parse", "HEAD")
    if commit is None:
        return {"commit": None, "dirty": None}
    changed = git("status", "--porcelain", "--untracked-files=no")
    return {"commit": commit, "dirty": bool(changed)}
