"""Where, when and with what a run was made, for its record."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from overopt import __version__
from overopt.catalog.packages import registered
from overopt.run.written.checkout import commit
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
        **commit(),
    }
