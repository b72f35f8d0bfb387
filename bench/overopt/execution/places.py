"""Where a store lies: in a folder, or on an object store with a folder as its cache."""

from __future__ import annotations

import os
from pathlib import Path

from overopt.execution.disk_errors import PLACE_VARIABLE
from overopt.execution.store import Store

SCHEME = "s3://"


def open_store(place: str | Path | None = None) -> Store:
    """The store at a place.

    Args:
        place: a folder, or ``s3://bucket/prefix``, of which a ``Path`` has lost a slash; by default
            what the environment names, else a folder in the user's cache.

    Raises:
        UserError: there is something else in that place, or a library is missing for it.
    """
    text = str(place or os.environ.get(PLACE_VARIABLE, ""))
    if text.startswith((SCHEME, "s3:/")):
        from overopt.execution.bucket.store import BucketStore

        return BucketStore(SCHEME + text.removeprefix("s3:").strip("/"))
    return Store(Path(text) if text else None)
