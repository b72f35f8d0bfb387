"""The artifact store: the only truth about what has been computed.

``<root>/<first two digits>/<key>/`` holds one artifact. It appears by a rename after everything in
it was flushed, so that it is whole or absent. Every read checks the sha256 of every file; what is
damaged goes to ``quarantine/`` and counts as missing. Unfinished work lies in ``tmp/``, and a lock
per key keeps two drivers from building the same thing (``tenancy``).
"""

from __future__ import annotations

import errno
import importlib
import json
import os
import secrets
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path

from overopt.errors import UserError
from overopt.execution.artifact import (
    MANIFEST,
    RECEIPT,
    Damage,
    FileEntry,
    InputEntry,
    Manifest,
    hash_file,
    list_files,
    probe,
    read_manifest,
)
from overopt.execution.costs import Receipt, append_receipt, is_sound
from overopt.execution.disk_errors import PLACE_VARIABLE, disk_errors_explained
from overopt.execution.node import Node
from overopt.execution.standing.brief import Noted, note_briefs
from overopt.execution.synced import sync_folder, sync_tree, write_synced
from overopt.execution.tenure.tenancy import Tenancy

_PLACES = ("tmp", "kept", "locks", "quarantine", "failures")
_FIRST_DIGITS = tuple(f"{number:02x}" for number in range(256))
_Signature = tuple[int, int, int]


def default_root() -> Path:
    """Where the store lies unless told: ``$OVEROPT_STORE``, else the user's cache folder."""
    place = os.environ.get(PLACE_VARIABLE)
    return Path(place) if place else user_cache_path("overopt") / "store"


def open_store(place: str | Path | None = None) -> Store:
    """The store at a place: in a folder, or on an object store with a folder as its cache.

    Args:
        place: a folder, or ``s3://bucket/prefix``, of which a ``Path`` has lost a slash; by default
            what the environment names, else a folder in the user's cache.

    Raises:
        UserError: there is something else in that place, or a library is missing for it.
    """
    text = str(place or os.environ.get(PLACE_VARIABLE, ""))
    if text.startswith("s3:/"):
        # by its name: it is a store itself
        module = importlib.import_module("overopt.execution.bucket.store")
        found: Store = module.BucketStore("s3://" + text.removeprefix("s3:").strip("/"))
        return found
    return Store(Path(text) if text else None)


class Store(Tenancy):
    """A content-addressed store in a folder; the folder is made by ``prepare``.

    Args:
        root: its folder; by default ``default_root()``.

    Raises:
        UserError: the place exists and is not a folder.
    """

    def __init__(self, root: Path | None = None) -> None:
        super().__init__((root or default_root()).expanduser().absolute())
        if self.root.exists() and not self.root.is_dir():
            raise UserError(
                f"The store {self.root} is a file; give a folder, or set {PLACE_VARIABLE} to one."
            )
        self._manifests: dict[str, tuple[_Signature, Manifest]] = {}
        self._verified: dict[tuple[str, str], tuple[_Signature, FileEntry]] = {}

    @property
    def place(self) -> str:
        """By what ``open_store`` finds this store again, in any process: its folder."""
        return str(self.root)

    @property
    def is_folder(self) -> bool:
        """Whether the folder is the store, and not a cache of what lies elsewhere."""
        return self.place == str(self.root)

    # Reading --------------------------------------------------------------------------------------

    def folder(self, key: str) -> Path:
        """Where the artifact of this key lies, if it exists."""
        return self.root / key[:2] / key

    def manifest(self, key: str) -> Manifest | None:
        """The manifest, or None where it is missing or cannot be read; files are not checked."""
        folder = self.folder(key)
        try:
            signature = _signature(folder / MANIFEST)
            held = self._manifests.get(key)
            if held is None or held[0] != signature:
                held = (signature, read_manifest(folder))
                self._manifests[key] = held
        except (FileNotFoundError, NotADirectoryError, Damage):
            return None
        return held[1]

    def keys(self) -> set[str]:
        """Keys of all that looks like an artifact; quicker than to look for many of them."""
        found: set[str] = set()
        for place in _FIRST_DIGITS:
            with suppress(FileNotFoundError, NotADirectoryError):
                found.update(entry.name for entry in os.scandir(self.root / place))
        return found

    def stamp(self, key: str) -> str | None:
        """What tells the manifest of a key from any other of that key; None where it is missing."""
        try:
            stat = os.lstat(f"{self.root}/{key[:2]}/{key}/{MANIFEST}")
        except OSError:
            return None
        return f"{stat.st_mtime_ns:x}.{stat.st_size:x}.{stat.st_ino:x}"

    def digest(self, key: str) -> str | None:
        """Digest of the artifact's files as its manifest states it, or None where it is missing."""
        manifest = self.manifest(key)
        return manifest.digest if manifest else None

    def receipt(self, key: str) -> Receipt | None:
        """What the artifact cost, or None where that is not known."""
        try:
            receipt = Receipt(**json.loads((self.folder(key) / RECEIPT).read_bytes()))
        except (OSError, ValueError, TypeError, RecursionError):
            return None
        return receipt if is_sound(receipt) else None

    def open(self, key: str) -> Path | None:
        """The artifact's folder once every file's sha256 was checked, or None where it is missing.

        A file that was checked before by this process and has the same time, size and inode is
        not read again. A damaged artifact is moved to ``quarantine/`` and is missing from then on.
        """
        try:
            self._verify(key)
        except FileNotFoundError:
            return None
        except Damage:
            self._quarantine_damaged(key)
            return None
        return self.folder(key)

    def consistent(self, key: str, known: dict[str, bool] | None = None) -> bool:
        """Whether the artifact exists and was made from the inputs that the store now holds.

        An input that is no longer there cannot contradict. Manifests are compared, files are not
        read; the inputs' own inputs are compared likewise.

        Args:
            key: of the artifact.
            known: what was found of others a moment ago, which need not be looked at again.
        """
        known = {} if known is None else known
        if key not in known:
            manifest = self.manifest(key)
            known[key] = manifest is not None and all(
                self.manifest(given.key) is None
                or (self.digest(given.key) == given.digest and self.consistent(given.key, known))
                for given in manifest.inputs.values()
            )
        return known[key]

    def made_from(self, key: str, inputs: Mapping[str, InputEntry]) -> bool:
        """Whether an intact artifact exists that recorded exactly these inputs."""
        manifest = self.manifest(key)
        return manifest is not None and manifest.inputs == inputs and self.open(key) is not None

    def _verify(self, key: str) -> None:
        folder = self.folder(key)
        try:
            signature = _signature(folder / MANIFEST)
        except NotADirectoryError as error:
            raise Damage("it is not a folder") from error
        except FileNotFoundError as error:
            if folder.exists():
                raise Damage("it has no manifest") from error
            raise
        held = self._manifests.get(key)
        manifest = held[1] if held and held[0] == signature else read_manifest(folder)
        self._manifests[key] = (signature, manifest)
        if list(list_files(folder)) != sorted(manifest.files):
            raise Damage("its files are not those of the manifest")
        for name, entry in manifest.files.items():
            seen = (_signature(folder / name), entry)
            if self._verified.get((key, name)) == seen:
                continue
            if seen[0][1] != entry.size_bytes or hash_file(folder / name) != entry:
                raise Damage(f"{name} is not what the manifest says")
            self._verified[key, name] = seen

    def _quarantine_damaged(self, key: str) -> None:
        """Move a damaged artifact away, unless somebody is at work on it or has replaced it."""
        with disk_errors_explained(self.root), self.lock(key) as held:
            if held:
                self._quarantine_if_damaged(key)

    def _quarantine_if_damaged(self, key: str) -> None:
        try:
            self._verify(key)
        except FileNotFoundError:
            return
        except Damage as damage:
            self._quarantine(key, str(damage))

    def _quarantine(self, key: str, reason: str) -> None:
        """Move an artifact to ``quarantine/``; the caller holds its lock."""
        self._manifests.pop(key, None)
        name = f"{key}.{secrets.token_hex(4)}"
        (self.root / "quarantine").mkdir(exist_ok=True)
        with suppress(FileNotFoundError):
            self.folder(key).rename(self.root / "quarantine" / name)
            (self.root / "quarantine" / f"{name}.txt").write_text(f"{reason}\n", encoding="utf-8")

    # Writing --------------------------------------------------------------------------------------

    def prepare(self) -> None:
        """Make the folder, try to write in it, and remove leftovers of dead processes.

        Raises:
            UserError: the place cannot be made or written, or the disk is full.
        """
        with disk_errors_explained(self.root):
            for place in _PLACES:
                (self.root / place).mkdir(parents=True, exist_ok=True)
            probe(self.root / "tmp" / "probe")
            self.sweep()

    def kept(self, key: str) -> Path:
        """Where a stage may keep unfinished work until its artifact is there; made by the stage."""
        return self.root / "kept" / key

    def commit(
        self, key: str, draft: Path, made: Node, inputs: Mapping[str, InputEntry], receipt: Receipt
    ) -> None:
        """Turn a draft into the artifact of ``key``; the caller holds the key's lock.

        An artifact that was made from other inputs is moved to ``quarantine/``. One that is there
        already, made from the same inputs, stays, and the draft is dropped.

        Raises:
            ValueError: the stage wrote nothing, or a file with a name that the store needs.
            Damage: it wrote a link.
        """
        manifest = self._seal(key, draft, made, inputs, receipt)
        if self._place_draft(draft, manifest):
            self._finish(key, receipt)
            if (stamp := self.stamp(key)) is not None:
                note_briefs(self.root, [Noted(key, stamp, manifest.brief)])

    def _seal(
        self, key: str, draft: Path, made: Node, inputs: Mapping[str, InputEntry], receipt: Receipt
    ) -> Manifest:
        """Add manifest and receipt to a draft and flush all of it; see ``commit``."""
        taken = [name for name in (MANIFEST, RECEIPT) if (draft / name).exists()]
        files = {name: hash_file(draft / name) for name in list_files(draft)}
        if taken or not files:
            wrong = f"wrote {taken[0]}, a name of the store" if taken else "wrote no file"
            raise ValueError(f"the stage {made.name} {wrong}")
        manifest = Manifest(
            key, made.stage, made.label, made.params, made.code, dict(inputs), files
        )
        write_synced(draft / MANIFEST, manifest.to_json())
        write_synced(draft / RECEIPT, asdict(receipt))
        sync_tree(draft)
        return manifest

    def _place_draft(self, draft: Path, manifest: Manifest) -> bool:
        """Move a sealed draft to its folder; False where the same was made before, and stays."""
        folder = self.folder(manifest.key)
        folder.parent.mkdir(exist_ok=True)
        while not _moved(draft, folder):
            if self._stays(manifest):
                shutil.rmtree(draft)
                return False
            self._quarantine(manifest.key, "made from other inputs than the store now holds")
        sync_folder(folder.parent)
        sync_folder(self.root)
        return True

    def _stays(self, manifest: Manifest) -> bool:
        """Whether what is there need not give way to a new draft."""
        return self.made_from(manifest.key, manifest.inputs)

    def _finish(self, key: str, receipt: Receipt) -> None:
        """Remove what was kept for an artifact that is now there, and note what it cost."""
        (self.root / "failures" / f"{key}.json").unlink(missing_ok=True)
        shutil.rmtree(self.kept(key), ignore_errors=True)
        append_receipt(self.root, key, receipt)

    # Records --------------------------------------------------------------------------------------

    def record_failure(self, key: str, record: Mapping[str, Any]) -> None:
        """Keep why a stage failed in ``failures/<key>.json``; the next success removes it."""
        with disk_errors_explained(self.root):
            draft = self.draft(key) / "failure.json"
            write_synced(draft, record)
            draft.replace(self.root / "failures" / f"{key}.json")
            draft.parent.rmdir()

    def failure(self, key: str) -> dict[str, Any] | None:
        """The recorded failure of a key, or None."""
        try:
            record: dict[str, Any] = json.loads(
                (self.root / "failures" / f"{key}.json").read_bytes()
            )
        except (OSError, ValueError, RecursionError):
            return None
        return record


def _moved(draft: Path, folder: Path) -> bool:
    """Whether a draft is now the folder; not where there is one, of another process perhaps."""
    if folder.exists():
        return False
    try:
        draft.rename(folder)
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
            return False
        raise
    return True


def _signature(path: Path) -> _Signature:
    stat = path.stat()
    return stat.st_mtime_ns, stat.st_size, stat.st_ino
