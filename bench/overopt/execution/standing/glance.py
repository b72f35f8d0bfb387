"""A quick look at an artifact: what its manifest says, which is not checked."""

from __future__ import annotations

import json
import os

from overopt.execution.artifact import MANIFEST, check_format
from overopt.execution.standing.brief import Brief
from overopt.execution.store import Store


def glance(store: Store, key: str) -> Brief | None:
    """What an artifact's manifest says, or None where it is missing or cannot be read.

    Unlike ``Store.manifest`` it trusts the text and keeps nothing, since a large run has hundreds
    of thousands of them: checksums are for those who read the artifact.

    Raises:
        UserError: another version wrote it in another form.
    """
    if not store.is_folder:
        manifest = store.manifest(key)
        return None if manifest is None else manifest.brief
    path = f"{store.root}/{key[:2]}/{key}/{MANIFEST}"
    try:
        body = json.loads(_bytes_of(path))
        if body["key"] != key:
            return None
        check_format(body["format"], path)
        inputs = [(str(role), str(given["digest"])) for role, given in body["inputs"].items()]
        size_bytes = sum(int(entry["size_bytes"]) for entry in body["files"].values())
        return Brief.of(str(body["digest"]), inputs, size_bytes)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def _bytes_of(path: str) -> bytes:
    """A small file, read at a third of the cost of a ``Path``."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        pieces = iter(lambda: os.read(descriptor, 1 << 16), b"")
        return b"".join(pieces)
    finally:
        os.close(descriptor)
