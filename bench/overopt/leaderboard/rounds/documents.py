"""The files of a round: strict, versioned, each written once.

``commitment.json`` is published before entries arrive, ``entries/<number>.json`` when one has
arrived, ``reveal.json`` at the end. ``secret.json`` holds the salt until then, stays with whoever
runs the round, and must not be published; nor must ``runs``, whose folders tell the worlds.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import Field, ValidationError

from overopt.errors import UserError
from overopt.execution.canonical import canonical_json
from overopt.execution.synced import sync_folder
from overopt.spec.documents import parse_json
from overopt.spec.explanations import explain
from overopt.spec.frozen import Spec

LARGEST_BYTES = 4 << 20
LEAST_WORLDS = 5
"""Of an entry: with fewer, T3 finds nothing but absurd claims (``verification.claims``)."""
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Hexadecimal = Annotated[str, Field(pattern=r"^([0-9a-f]{2}){0,128}$")]
RoundName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
EntryName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.+-]{0,63}$")]
Seed = Annotated[int, Field(ge=0, lt=2**53)]
Number = Annotated[int, Field(ge=0, le=99_999)]


class Commitment(Spec):
    """What a round promises before entries arrive.

    commitment: see ``derivation``. worlds, seeds: how many of each an entry is run in.
    """

    format: Literal[1]
    kind: Literal["commitment"]
    round: RoundName
    commitment: Digest
    worlds: int = Field(ge=LEAST_WORLDS, le=100)
    seeds: int = Field(ge=1, le=100)


class Secret(Spec):
    """The salt while it is secret."""

    format: Literal[1]
    kind: Literal["secret"]
    round: RoundName
    salt: Digest


class Arrival(Spec):
    """An entry has arrived.

    entry: SHA-256 of its document. previous: SHA-256 of the arrival before, or of the commitment,
    so that none can be left out or put in later. beacon: public randomness from after it arrived.
    """

    format: Literal[1]
    kind: Literal["arrival"]
    round: RoundName
    number: Number
    entry: Digest
    name: EntryName
    previous: Digest
    beacon: Hexadecimal = ""


class Drawn(Spec):
    """Worlds of one entry, as the salt and its arrival make them."""

    number: Number
    entry: Digest
    worlds: tuple[Seed, ...] = Field(min_length=2, max_length=100)


class Reveal(Spec):
    """The salt, and all that follows from it."""

    format: Literal[1]
    kind: Literal["reveal"]
    round: RoundName
    salt: Digest
    drawn: tuple[Drawn, ...] = Field(max_length=100_000)


AnySpec = TypeVar("AnySpec", bound=Spec)


def dump(document: Spec) -> bytes:
    """The bytes of a document: equal documents, equal bytes."""
    return canonical_json(document.to_json()).encode() + b"\n"


def digest_of(document: Spec) -> str:
    """SHA-256 of a document's bytes."""
    return hashlib.sha256(dump(document)).hexdigest()


def read(kind: type[AnySpec], path: Path) -> AnySpec:
    """One of the files above, checked.

    Raises:
        UserError: it is missing, too long, or not of this kind.
    """
    try:
        if path.is_symlink() or path.stat().st_size > LARGEST_BYTES:
            raise UserError(f"{path} is a link or too long; a round holds small plain files.")
        content = path.read_bytes()
    except OSError as error:
        raise UserError(
            f"{path} cannot be read ({error.strerror}); give the folder of a round that bench "
            "round open has made."
        ) from error
    try:
        parse_json(content)  # refuses what a key given twice or a number without end would hide
        return kind.model_validate_json(content)
    except ValidationError as error:
        raise UserError(explain(error, str(path), kind)) from error
    except ValueError as error:
        raise UserError(f"{path} is not JSON as it should be: {error}.") from error


def write_once(path: Path, document: Spec, mode: int = 0o644) -> None:
    """Write a document where there is none; the same one may be written again.

    Raises:
        UserError: another one is there, which is never overwritten.
    """
    content = dump(document)
    draft = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        with suppress(FileExistsError):
            os.link(draft, path)  # fails where another one is, as a rename would not
        sync_folder(path.parent)
    finally:
        draft.unlink(missing_ok=True)
    if path.read_bytes() != content:
        raise UserError(f"{path} is there with other content, and a round is never rewritten.")
