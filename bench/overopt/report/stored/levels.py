"""The levels of a run's axes, from its record: what tells its results from those of other levels.

A run's settings are in its record and not in its tables. Where an axis went through them, the
record says which, and every row of the run is known by them, so that no two levels ever merge.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from overopt.errors import UserError
from overopt.report.stored.schema import LEVELS
from overopt.spec.level import SHORT

_OF_METHODS = ("pairs", "rollout", "trl", "rounds")
"""Tables of a task that say how methods train."""

_OF_PROXIES = ("proxy", "labels")
"""Tables of a task about proxies and the data that they learn from."""

_NAMES = {key: name.replace("-", " ") for name, key in SHORT.items()}
"""Settings that labels call by one name."""

_LONGEST = 200
"""Characters of a setting's name or value."""


def levels_of(record: Mapping[str, Any], where: str) -> dict[str, str]:
    """The columns ``LEVELS`` of a run; empty texts where it has no levels.

    Raises:
        UserError: the record's levels are damaged.
    """
    spec = record.get("spec")
    levels = spec.get("levels", []) if isinstance(spec, dict) else []
    found: dict[str, list[str]] = {name: [] for name in LEVELS}
    if not isinstance(levels, list):
        raise _damaged(where)
    methods, proxies = (_names(spec, kind) for kind in ("methods", "proxies"))
    for level in levels:
        key, value = _read(level, where)
        head = key.partition(".")[0]
        if head in methods or head in _OF_METHODS:
            column = "method_level"
        elif head in proxies or head in _OF_PROXIES:
            column = "proxy_level"
        else:
            column = "task_level"
        found[column].append(f"{key}={value}")
    return {name: ", ".join(sorted(texts)) for name, texts in found.items()}


def short(levels: str, name: str) -> str:
    """Levels as a label has them: ``members 3`` of ``uwo.members=3`` beside the name uwo."""
    parts = []
    for level in filter(None, levels.split(", ")):
        key, _, value = level.partition("=")
        if key in _NAMES:
            parts.append(f"{_NAMES[key]} {value}")
            continue
        words = [word for word in key.split(".") if word not in ("architecture", "training")]
        words = words[1:] if len(words) > 1 and words[0] == name else words
        parts.append(f"{' '.join(words).replace('_', ' ')} {value}")
    return ", ".join(parts)


def _names(spec: Any, kind: str) -> set[str]:
    """Names of a run's methods or proxies, as settings begin with them."""
    named = spec.get(kind, []) if isinstance(spec, dict) else []
    return (
        {str(one.get("name")) for one in named if isinstance(one, dict)}
        if isinstance(named, list)
        else set()
    )


def _read(level: Any, where: str) -> tuple[str, str]:
    """One level as text."""
    if not isinstance(level, dict) or set(level) != {"key", "value"}:
        raise _damaged(where)
    key, value = level["key"], level["value"]
    if not isinstance(key, str) or not isinstance(value, bool | int | float | str):
        raise _damaged(where)
    if isinstance(value, float) and not math.isfinite(value):
        raise _damaged(where)
    text = f"{value:g}" if isinstance(value, float) else str(value)
    if not (key + text).isprintable() or not 0 < len(key) <= _LONGEST or len(text) > _LONGEST:
        raise _damaged(where)
    return key, text


def _damaged(where: str) -> UserError:
    return UserError(
        f"{where}: spec.levels must be a list of settings, each with key and value; restore the "
        "file or run it again."
    )
