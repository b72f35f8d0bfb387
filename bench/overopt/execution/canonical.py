"""One text per JSON value, so that equal values have equal hashes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def canonical_json(value: Any) -> str:
    """One text per JSON value: sorted keys, no spaces, shortest floats that read back exactly.

    Raises:
        ValueError: for NaN and infinities.
        TypeError: for what JSON cannot hold, and for keys that are not text.
    """
    _check_keys(value)
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _check_keys(value: Any) -> None:
    if isinstance(value, Mapping):
        for key, held in value.items():
            if not isinstance(key, str):
                raise TypeError(f"JSON keys are text, not {key!r}")
            _check_keys(held)
    elif isinstance(value, list | tuple):
        for held in value:
            _check_keys(held)
