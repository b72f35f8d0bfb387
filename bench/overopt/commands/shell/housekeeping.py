"""What lies in a store, what of it no run can find again, and how it is removed.

An artifact is found by its key, and its key holds the version of its code. Once that code has
changed, or the code of anything that it was made from, no run of the installed version asks for it.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from overopt.errors import UserError
from overopt.execution.artifact import Manifest, tree_bytes
from overopt.execution.code.modules import is_file
from overopt.execution.code.version import code_version
from overopt.execution.stage import stage_module
from overopt.execution.store import Store

_KEY_LETTERS = frozenset("0123456789abcdef")


@dataclass(frozen=True)
class Stored:
    """One artifact: its manifest (None where it cannot be read) and its bytes on disk."""

    key: str
    manifest: Manifest | None
    size_bytes: int

    @property
    def stage(self) -> str:
        """The last word of the stage's name; ``damaged`` where the manifest cannot be read."""
        if self.manifest is None:
            return "damaged"
        return self.manifest.stage.replace(":", ".").rpartition(".")[2]


@dataclass(frozen=True)
class Outdated:
    """What ``gc`` finds.

    gone: artifacts that no run of the installed version can find. unknown: artifacts of earlier
    versions, of which it is not recorded what code they loaded by name. absent: artifacts that
    were made by a file of somebody's own which is no longer there.
    """

    gone: tuple[Stored, ...]
    unknown: tuple[Stored, ...]
    absent: tuple[Stored, ...]


def artifacts(store: Store) -> Iterator[Stored]:
    """Every artifact of a store, in the order of their keys; files are not checked."""
    for folder in sorted(store.root.glob("[0-9a-f][0-9a-f]/*")):
        if len(folder.name) == 64 and set(folder.name) <= _KEY_LETTERS:
            yield Stored(folder.name, store.manifest(folder.name), tree_bytes([folder]))


def outdated(store: Store) -> Outdated:
    """Artifacts by whether a run of the installed version can find them."""
    everything = {one.key: one for one in artifacts(store)}
    verdicts: dict[str, str] = {}

    def verdict(key: str) -> str:
        """``there``, ``gone``, ``unknown`` or ``absent``; the worst of it and of its inputs."""
        if key not in verdicts:
            manifest = everything[key].manifest if key in everything else None
            if key not in everything:
                verdicts[key] = "there"  # what is not in the store can be made again
            elif manifest is None:
                verdicts[key] = "gone"
            else:
                found = {verdict(given.key) for given in manifest.inputs.values()}
                found.add(_own_verdict(store, manifest))
                order = ("gone", "unknown", "absent", "there")
                verdicts[key] = next(one for one in order if one in found)
        return verdicts[key]

    def those(wanted: str) -> tuple[Stored, ...]:
        return tuple(one for key, one in everything.items() if verdict(key) == wanted)

    return Outdated(those("gone"), those("unknown"), those("absent"))


def _own_verdict(store: Store, manifest: Manifest) -> str:
    """Whether the artifact's own code has today's version."""
    receipt = store.receipt(manifest.key)
    if receipt is None or receipt.extra_code is None:
        return "unknown"
    if any(is_file(part) and not Path(part).is_file() for part in receipt.extra_code):
        return "absent"
    try:
        now = code_version(stage_module(manifest.stage), *receipt.extra_code)
    except UserError:
        return "gone"  # a module of the package that is there no more
    return "there" if now == manifest.code else "gone"


def leftovers(store: Store) -> dict[str, int]:
    """Bytes of what is no artifact: damaged ones put aside, drafts, unfinished work, failures."""
    return {
        place: tree_bytes([store.root / place])
        for place in ("quarantine", "tmp", "kept", "failures")
        if (store.root / place).is_dir()
    }


def named(store: Store, word: str) -> list[Stored]:
    """Artifacts of a stage, such as ``pool``, or whose key begins with at least eight digits.

    Raises:
        UserError: there are none.
    """
    everything = list(artifacts(store))
    if word == "all":
        return everything
    found = [one for one in everything if one.stage == word]
    if not found and len(word) >= 8 and set(word) <= _KEY_LETTERS:
        found = [one for one in everything if one.key.startswith(word)]
    if not found:
        stages = ", ".join(sorted({one.stage for one in everything})) or "none"
        raise UserError(
            f"The store {store.root} holds no {word}; name one of its stages ({stages}), at least "
            "eight digits of a key, or all."
        )
    return found


def remove(store: Store, chosen: Iterable[Stored], *, drafts: bool = False) -> None:
    """Remove artifacts; a killed removal leaves each of them whole or gone. Used ``alone``.

    Args:
        store: whose artifacts.
        chosen: which.
        drafts: also what dead processes and damaged artifacts have left.
    """
    trash = store.root / "quarantine"
    trash.mkdir(exist_ok=True)
    for one in chosen:
        with suppress(FileNotFoundError):
            shutil.rmtree(store.folder(one.key).rename(trash / f"{one.key}.removed"))
    if drafts:
        for place in ("quarantine", "tmp"):
            for path in (store.root / place).glob("*"):
                if path.is_dir():
                    shutil.rmtree(path, ignore_errors=True)
                elif path.stem != "sweep":
                    path.unlink(missing_ok=True)
