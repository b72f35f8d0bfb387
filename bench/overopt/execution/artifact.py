"""One artifact on disk: its manifest, how a folder is sealed, and how it is checked.

``manifest.json`` lists every file with its sha256 and size, what the artifact is and what it was
made from; it holds a checksum of itself. ``receipt.json`` beside it says what the work cost; it is
outside of the digest, because two equal artifacts may have cost different times.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from overopt.errors import UserError
from overopt.execution.canonical import canonical_json
from overopt.execution.standing.brief import Brief

MANIFEST = "manifest.json"
RECEIPT = "receipt.json"
FORMAT = 1


class Damage(Exception):
    """An artifact is not what its manifest says; the text says in what."""


@dataclass(frozen=True)
class FileEntry:
    """sha256 and size of one file of an artifact."""

    sha256: str
    size_bytes: int


@dataclass(frozen=True)
class InputEntry:
    """An input that was used: its key and the digest of its bytes."""

    key: str
    digest: str


@dataclass(frozen=True)
class Manifest:
    """What an artifact is: its identity, its inputs and its files (relative path -> entry)."""

    key: str
    stage: str
    label: str
    params: Mapping[str, Any]
    code: str
    inputs: Mapping[str, InputEntry]
    files: Mapping[str, FileEntry]

    @cached_property
    def digest(self) -> str:
        """sha256 over the names, sizes and hashes of the files: equal bytes, equal digest."""
        listed = {name: [entry.sha256, entry.size_bytes] for name, entry in self.files.items()}
        return hashlib.sha256(canonical_json(listed).encode()).hexdigest()

    @property
    def size_bytes(self) -> int:
        """Bytes of all files, without the manifest and the receipt."""
        return sum(entry.size_bytes for entry in self.files.values())

    @property
    def brief(self) -> Brief:
        """What a plan asks."""
        inputs = [(role, given.digest) for role, given in self.inputs.items()]
        return Brief.of(self.digest, inputs, self.size_bytes)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values with the digest, the format and a checksum over all of it."""
        body: dict[str, Any] = {"format": FORMAT, "digest": self.digest, **asdict(self)}
        return {**body, "checksum": _checksum(body)}


def _checksum(body: Mapping[str, Any]) -> str:
    return hashlib.sha256(canonical_json(body).encode()).hexdigest()


def hash_file(path: Path) -> FileEntry:
    """sha256 and size of a file.

    Raises:
        Damage: the disk fails to read it.
    """
    try:
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
            return FileEntry(digest, stream.tell())
    except OSError as error:
        if error.errno == errno.EIO:
            raise Damage(f"{path.name} cannot be read from the disk") from error
        raise


def list_files(folder: Path) -> Iterator[str]:
    """Relative paths of an artifact's files, sorted, with ``/`` between folders.

    Hidden files (a file browser's droppings) and the two files of the store are left out.

    Raises:
        Damage: something in the folder is neither a plain file nor a folder.
    """
    found: list[str] = []
    for at, folders, files in os.walk(folder):
        for name in (*folders, *files):
            if Path(at, name).is_symlink():
                raise Damage(f"{name} is a link")
        found.extend(
            Path(at, name).relative_to(folder).as_posix()
            for name in files
            if not name.startswith(".")
        )
    return iter(sorted(set(found) - {MANIFEST, RECEIPT}))


def read_manifest(folder: Path) -> Manifest:
    """Read and check the manifest of an artifact, but not its files.

    Raises:
        FileNotFoundError: there is no manifest.
        Damage: it cannot be read, or its checksum or key does not fit.
        UserError: it is whole, and another version wrote it in another form.
    """
    try:
        text = (folder / MANIFEST).read_bytes()
    except IsADirectoryError as error:
        raise Damage("the manifest is a folder") from error
    return parse_manifest(text, folder)


def parse_manifest(text: bytes, folder: Path) -> Manifest:
    """The manifest of the artifact in a folder, from its text.

    Raises:
        Damage: see ``read_manifest``.
        UserError: likewise.
    """
    try:
        body = json.loads(text)
        stated = body.pop("checksum")
        if stated != _checksum(body):
            raise Damage("the manifest's checksum does not fit")
        check_format(body.pop("format"), folder / MANIFEST)
        digest = body.pop("digest")
        body["inputs"] = {role: InputEntry(**entry) for role, entry in body["inputs"].items()}
        body["files"] = {name: FileEntry(**entry) for name, entry in body["files"].items()}
        manifest = Manifest(**body)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise Damage(f"the manifest cannot be read: {error}") from error
    if manifest.digest != digest or manifest.key != folder.name:
        raise Damage("the manifest belongs to another artifact")
    return manifest


def check_format(stated: object, place: str | Path) -> None:
    """Refuse a manifest of another form.

    Raises:
        UserError: another version wrote it.
    """
    if stated != FORMAT:
        raise UserError(
            f"{place}: format = {str(stated)[:40]}, which this version does not read; "
            f"it reads format {FORMAT}. Use the version of overopt that wrote it, or another store."
        )


def probe(path: Path) -> None:
    """Write a file and remove it; a link that lies there is removed, and what it names is left.

    One name: whoever comes next removes that of a killed process.

    Raises:
        OSError: nothing can be written there.
    """
    path.unlink(missing_ok=True)
    try:
        with path.open("xb") as stream:
            stream.write(b"this place must be writable")
    except FileExistsError:
        return  # another process is writing it at this moment, so that it can be written
    path.unlink(missing_ok=True)


def tree_bytes(folders: Iterable[Path]) -> int:
    """Bytes of all files below some folders."""
    total_bytes = 0
    for folder in folders:
        for at, _, files in os.walk(folder):
            for name in files:
                with suppress(FileNotFoundError):
                    total_bytes += Path(at, name).lstat().st_size
    return total_bytes
