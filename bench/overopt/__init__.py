"""Overopt: a synthetic benchmark of reward-model overoptimization.

The tree shows the way data flows: a task (``spec``, ``catalog``) names a world (``worlds``),
models live in it (``models``), stages make one artifact each (``stages``), methods and proxies
are pure mathematics (``methods``, ``proxies``) that an engine drives (``engines``), ``run`` plans
and executes, ``report`` reads results only.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_EXPORTS = {
    "OveroptCallback": "overopt.own_runs.live.callback",
    "UserError": "overopt.errors",
    "compare": "overopt.report.comparison.runs",
    "judge": "overopt.commands.reproduce.from_python",
    "load_results": "overopt.report.stored.frame",
    "measure": "overopt.own_runs.from_python",
    "plot_curves": "overopt.report.figures.methods_together",
    "run": "overopt.commands.from_python",
}
"""Where each public name lies; it is imported when it is first asked for."""

__all__ = [
    "OveroptCallback",
    "UserError",
    "__version__",
    "compare",
    "judge",
    "load_results",
    "measure",
    "plot_curves",
    "run",
]


def __getattr__(name: str) -> Any:
    if name not in _EXPORTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_EXPORTS[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
