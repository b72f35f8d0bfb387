"""A store on an object store: there is the truth, and a folder of this machine is its cache.

``artifacts/<key>.json`` is an artifact's manifest and ``objects/<sha256>`` the bytes of a file. A
manifest is put last, and only where there is none (``If-None-Match: *``): an upload that was killed
has left nothing that anybody reads, and of two writers the first one counts. Since the bytes go by
their own hash, writers cannot mix them. What is read is hashed, and what is not what it should be
is removed, so that it is made again.

Locks, drafts, failures and costs are those of the folder: processes of one machine keep out of
each other's way, and machines do the same work twice at worst, to the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from platformdirs import user_cache_path

from overopt.execution.artifact import (
    MANIFEST,
    RECEIPT,
    Damage,
    InputEntry,
    Manifest,
    hash_file,
    parse_manifest,
)
from overopt.execution.bucket.objects import Objects
from overopt.execution.costs import Receipt, is_sound
from overopt.execution.node import Node
from overopt.execution.store import Store
from overopt.execution.synced import sync_tree, write_synced

CACHE_VARIABLE = "OVEROPT_CACHE"


def cache_of(place: str) -> Path:
    """The folder that stands for a place on this machine."""
    given = os.environ.get(CACHE_VARIABLE)
    folder = Path(given) if given else user_cache_path("overopt") / "buckets"
    return folder / hashlib.sha256(place.encode()).hexdigest()[:16]


class BucketStore(Store):
    """The store at ``s3://bucket/prefix``; see ``Store``.

    Raises:
        UserError: the library for it is not installed, or the place is none.
    """

    def __init__(self, place: str) -> None:
        super().__init__(cache_of(place))
        self._place = place
        self._objects = Objects(place)
        self._listed: dict[str, str] | None = None
        self._there: dict[str, Manifest] = {}

    @property
    def place(self) -> str:
        """See ``Store``: the address."""
        return self._place

    # Reading --------------------------------------------------------------------------------------

    def manifest(self, key: str) -> Manifest | None:
        """See ``Store``; the cached one, if there is still one on the object store."""
        if key in self._there:
            return self._there[key]
        if key not in self._keys():
            return None
        return super().manifest(key) or self._fetch_manifest(key)

    def keys(self) -> set[str]:
        """See ``Store``: of those on the object store."""
        return set(self._keys())

    def stamp(self, key: str) -> str | None:
        """See ``Store``: as of the last look at all that is on the object store."""
        tag = self._keys().get(key)
        return None if tag is None else hashlib.sha256(tag.encode()).hexdigest()[:16]

    def open(self, key: str) -> Path | None:
        """See ``Store``; an artifact that is not in the cache is downloaded."""
        wanted = self._there.get(key) or self._fetch_manifest(key)
        if wanted is None:
            return None
        if self._is_cached(wanted):
            return self.folder(key)
        try:
            self._download(key, wanted)
        except Damage:
            self._objects.remove(_manifest_name(key))
            self._forget(key)
            return None
        return super().open(key)

    def receipt(self, key: str) -> Receipt | None:
        """See ``Store``; of an artifact that is not in the cache as well."""
        held = super().receipt(key)
        if held is None and (text := self._objects.get(_receipt_name(key))):
            try:
                held = Receipt(**json.loads(text))
            except (ValueError, TypeError, RecursionError):
                return None
            return held if is_sound(held) else None
        return held

    def _keys(self) -> dict[str, str]:
        """Keys of all artifacts, and tags of their manifests, as of the last look at them all."""
        if self._listed is None:
            tags = self._objects.tags("artifacts")
            self._listed = {
                name.rpartition("/")[2].removesuffix(".json"): tag for name, tag in tags
            }
        return self._listed

    def _fetch_manifest(self, key: str) -> Manifest | None:
        """The manifest as the object store has it now; one that is damaged is removed."""
        text = self._objects.get(_manifest_name(key))
        if text is None:
            self._forget(key)
            return None
        try:
            found = parse_manifest(text, self.folder(key))
        except Damage:
            self._objects.remove(_manifest_name(key))
            self._forget(key)
            return None
        self._know(found)
        return found

    def _is_cached(self, wanted: Manifest) -> bool:
        """Whether the cache holds an intact copy of what the object store has."""
        held = super().manifest(wanted.key) if super().open(wanted.key) is not None else None
        return held is not None and (held.digest, held.inputs) == (wanted.digest, wanted.inputs)

    def _stays(self, manifest: Manifest) -> bool:
        """See ``Store``: only a copy of what the object store has."""
        return self._is_cached(manifest)

    def _know(self, manifest: Manifest) -> None:
        self._there[manifest.key] = manifest
        # of what came after the look at them all the tag is unknown: one that is like no other
        self._keys().setdefault(manifest.key, secrets.token_hex(8))

    def _forget(self, key: str) -> None:
        self._there.pop(key, None)
        self._keys().pop(key, None)

    def _download(self, key: str, wanted: Manifest) -> None:
        """Put an artifact into the cache, once each of its files was hashed.

        Raises:
            Damage: an object is missing or not what its name says; it is removed.
        """
        draft = self.draft(key)
        try:
            for name, entry in wanted.files.items():
                path = draft / name
                if not path.resolve().is_relative_to(draft.resolve()):
                    raise Damage(f"{name} would lie outside of the artifact")
                path.parent.mkdir(parents=True, exist_ok=True)
                there = _object_name(entry.sha256)
                if not self._objects.download(there, path) or hash_file(path) != entry:
                    self._objects.remove(there)
                    raise Damage(f"{name} is not what the manifest says")
            write_synced(draft / MANIFEST, wanted.to_json())
            if receipt := self._objects.get(_receipt_name(key)):
                (draft / RECEIPT).write_bytes(receipt)
            sync_tree(draft)
            self._place_draft(draft, wanted)
        finally:
            shutil.rmtree(draft, ignore_errors=True)

    # Writing --------------------------------------------------------------------------------------

    def prepare(self) -> None:
        """See ``Store``; looks at all that is there, and tries to write.

        Raises:
            UserError: the server cannot be reached or written, or there is no such bucket.
        """
        super().prepare()
        self._listed = None
        self._keys()
        self._objects.remove("probe")
        self._objects.create("probe", b"this place must be writable")

    def commit(
        self, key: str, draft: Path, made: Node, inputs: Mapping[str, InputEntry], receipt: Receipt
    ) -> None:
        """See ``Store``; the artifact is there for all once its manifest was put."""
        manifest = self._seal(key, draft, made, inputs, receipt)
        for name, entry in manifest.files.items():
            there = _object_name(entry.sha256)
            if not self._objects.has(there, entry.size_bytes):
                self._objects.upload(there, draft / name)
        text = json.dumps(manifest.to_json(), indent=1, sort_keys=True).encode()
        while not self._objects.create(_manifest_name(key), text):
            theirs = self._fetch_manifest(key)
            if theirs is None:
                continue
            if theirs.inputs == inputs and self.open(key) is not None:
                shutil.rmtree(draft)
                return
            self._objects.remove(_manifest_name(key))
            self._forget(key)
        record = json.dumps(asdict(receipt), sort_keys=True).encode()
        self._objects.remove(_receipt_name(key))
        self._objects.create(_receipt_name(key), record)
        self._know(manifest)
        self._place_draft(draft, manifest)
        self._finish(key, receipt)


def _manifest_name(key: str) -> str:
    return f"artifacts/{key[:2]}/{key}.json"


def _receipt_name(key: str) -> str:
    return f"receipts/{key[:2]}/{key}.json"


def _object_name(sha256: str) -> str:
    return f"objects/{sha256[:2]}/{sha256}"
