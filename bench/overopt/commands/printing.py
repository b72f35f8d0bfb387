"""What commands print for programs: one JSON object with fixed keys."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any

FORMAT = 1
"""Goes up when a key changes its meaning or goes; keys may be added."""


def print_json(kind: str, value: Mapping[str, Any]) -> None:
    """Print an object with the keys ``format`` and ``kind`` first; a missing value is null.

    Raises:
        ValueError: a number is NaN or infinite.
    """
    text = json.dumps({"format": FORMAT, "kind": kind, **value}, indent=1, allow_nan=False)
    sys.stdout.write(f"{text}\n")
